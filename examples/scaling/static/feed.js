// The page: what it knows of its place, what was said, and how many clients each worker has.

const find = (id) => document.getElementById(id);
const named = ({ host, worker }) => `${host}, worker ${worker}`;
const transports = new URLSearchParams(location.search).get("transport")?.split(",");

// A proxy in front of several hosts sends all requests with the same `route` to the same host: see nginx.conf.
const socket = io({ query: { route: Math.random().toString(36).slice(2) }, ...(transports && { transports }) });
window.socket = socket; // for the curious, and for the test
const joined = new Set();

function row(cells) {
  const made = document.createElement("tr");
  made.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return made;
}

async function count() {
  const found = await socket.emitWithAck("who");
  find("who").replaceChildren(...found.map(({ host, worker, clients }) => row([host, worker, clients])));
  find("plain").textContent = named(await (await fetch("/where")).json());
}

function showTransport() {
  find("transport").textContent = socket.io.engine.transport.name;
}

socket.on("connect", () => {
  showTransport();
  socket.io.engine.on("upgrade", showTransport);
  for (const room of joined) socket.emit("join", room); // after a reconnection the rooms are gone
});

socket.on("welcome", (place) => {
  find("place").textContent = named(place);
  find("alone").hidden = place.cluster;
  count();
});

socket.on("said", ({ text, room, from }) => {
  const item = document.createElement("li");
  const where = Object.assign(document.createElement("small"), { textContent: ` ${named(from)}` });
  item.append(room ? `[${room}] ${text}` : text, where);
  find("said").prepend(item);
  while (find("said").children.length > 100) find("said").lastChild.remove();
});

socket.on("disconnect", () => (find("place").textContent = "nowhere: connecting again"));

find("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await socket.emitWithAck("say", find("text").value, find("room").value || null);
  if (answer.error) alert(answer.error);
  else find("text").value = "";
});

function showJoined() {
  find("join").setAttribute("aria-pressed", joined.has(find("room").value));
  find("join").textContent = joined.has(find("room").value) ? "Leave the room" : "Join the room";
}

find("join").addEventListener("click", async () => {
  const room = find("room").value;
  if (!room) return;
  const leaving = joined.delete(room);
  if (!leaving) joined.add(room);
  await socket.emitWithAck(leaving ? "leave" : "join", room);
  showJoined();
});

find("room").addEventListener("input", showJoined);
find("again").addEventListener("click", count);
