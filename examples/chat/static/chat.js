/* The chat's conversation with its server, through the official Socket.IO client. */

import { Conversation } from "./conversation.js";
import { $, avatar, hush, say, showPeople, showRooms, showStatus, showTyping } from "./view.js";

const ACK_MS = 10_000;
const TYPING_MS = 2_500;

/* sessionStorage belongs to one tab: a reload is the same person, a second tab another one. */
const me = { name: sessionStorage.getItem("name") ?? "", token: sessionStorage.getItem("token") ?? randomKey(), id: "" };
sessionStorage.setItem("token", me.token);

const talk = new Conversation();
const outbox = new Map(); // key -> a message of ours that the server has not acknowledged
const typists = new Map(); // id of a person -> {name, timer}
let socket;
let room = roomOfAddress();
let home = room; // the last room that let us in
let rooms = [];
let joined = false;
let early = []; // messages that overtook the answer to our join
let unread = 0;
let wasLost = false;

function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim() || document.body.dataset.firstRoom;
  } catch {
    return document.body.dataset.firstRoom;
  }
}

/* Joining is also how one comes back: the server answers with what came after the last message we have. */
async function join() {
  joined = false;
  early = [];
  const wanted = room;
  const connection = socket.id;
  let reply;
  try {
    reply = await socket.timeout(ACK_MS).emitWithAck("join", { room: wanted, epoch: talk.epoch, after: talk.lastId });
  } catch {
    if (socket.connected && socket.id === connection && room === wanted) await join();
    return; // without a connection the next "connect" joins again
  }
  if (room !== wanted || socket.id !== connection) return;
  if (reply.error) {
    say(reply.error, "bad");
    enterRoom(wanted === home ? document.body.dataset.firstRoom : home);
    return;
  }
  joined = true;
  room = home = reply.room;
  me.id = reply.you;
  showMe();
  showRoom();
  showPeople(reply.people, me.id);
  talk.catchUp(reply.epoch, reply.messages, me.id);
  early.filter((message) => message.room === room).forEach(receive);
  for (const entry of outbox.values()) {
    if (entry.room !== room) continue;
    if (!talk.items.some((item) => item.key === entry.key)) talk.addPending(entry, me);
    deliver(entry);
  }
}

function enterRoom(name) {
  if (name === room && joined) return;
  stopTyping();
  room = name;
  joined = false;
  talk.clear();
  clearTypists();
  location.hash = encodeURIComponent(name);
  showRoom();
  setDrawer(false);
  if (socket.connected) join();
}

/* Sent until acknowledged, on this connection or the next; the key keeps the server from saying it twice. */
async function deliver(entry) {
  const connection = socket.id;
  while (joined && room === entry.room && socket.id === connection && outbox.has(entry.key)) {
    let reply;
    try {
      reply = await socket.timeout(ACK_MS).emitWithAck("message", { key: entry.key, text: entry.text });
    } catch {
      continue;
    }
    outbox.delete(entry.key);
    if (room !== entry.room) return;
    if (reply.error) talk.fail(entry.key, reply.error);
    else talk.add(reply.message, true);
  }
}

function receive(message) {
  if (!joined) early.push(message);
  if (!joined || message.room !== room) return;
  forgetTypist(message.author.id);
  talk.add(message, message.author.id === me.id);
  if (document.hidden) showUnread(unread + 1);
}

function submit() {
  const text = $("text").value.trim();
  if (!text) return;
  const entry = { key: randomKey(), room, text, at: Date.now() };
  outbox.set(entry.key, entry);
  talk.addPending(entry, me);
  $("text").value = "";
  textChanged();
  if (joined) deliver(entry);
}

/* Typing: said again every TYPING_MS while it goes on, so that nobody seems to type for ever. */
let typingSaid = 0;
let typingEnds;

function textChanged() {
  const area = $("text");
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
  $("send").disabled = !area.value.trim();
  if (!area.value.trim()) return stopTyping();
  clearTimeout(typingEnds);
  typingEnds = setTimeout(stopTyping, TYPING_MS);
  if (!joined || Date.now() - typingSaid < TYPING_MS) return;
  typingSaid = Date.now();
  socket.emit("typing", true);
}

function stopTyping() {
  clearTimeout(typingEnds);
  if (typingSaid && joined) socket.emit("typing", false);
  typingSaid = 0;
}

function hearTyping({ room: where, person, on }) {
  if (where !== room || person.id === me.id) return;
  forgetTypist(person.id);
  if (on) typists.set(person.id, { name: person.name, timer: setTimeout(forgetTypist, 2 * TYPING_MS, person.id) });
  showTyping(typists.values());
}

function forgetTypist(id) {
  clearTimeout(typists.get(id)?.timer);
  typists.delete(id);
  showTyping(typists.values());
}

function clearTypists() {
  [...typists.keys()].forEach(forgetTypist);
}

function showMe() {
  $("me-name").textContent = me.name;
  $("me-avatar").replaceChildren(avatar({ id: me.id || "0", name: me.name }));
}

function showRoom() {
  $("room-title").textContent = room;
  $("text").placeholder = `Message #${room}`;
  showRooms(rooms, room, enterRoom);
  showUnread(0);
}

function showUnread(count) {
  unread = count;
  document.title = `${unread ? `(${unread}) ` : ""}#${room}`;
}

function showTransport() {
  const name = socket.io.engine.transport.name;
  showStatus("live", `Live · ${name === "websocket" ? "WebSocket" : "Polling"}`);
}

function setDrawer(open) {
  const narrow = matchMedia("(max-width: 760px)").matches;
  document.body.classList.toggle("drawer-open", narrow && open);
  $("menu").setAttribute("aria-expanded", String(narrow && open));
  $("sidebar").inert = narrow && !open;
}

function showWelcome(error) {
  $("chat").hidden = true;
  $("welcome").hidden = false;
  $("name").value = me.name;
  $("name-error").textContent = error;
  $("name").focus();
}

function enter() {
  sessionStorage.setItem("name", me.name);
  $("welcome").hidden = true;
  $("chat").hidden = false;
  showStatus("waiting", "Connecting");
  showMe();
  showRoom();
  socket.connect();
  $("text").focus();
}

function leave() {
  socket.disconnect();
  sessionStorage.removeItem("name");
  outbox.clear();
  talk.clear();
  setDrawer(false);
  hush();
  showWelcome("");
}

function onConnect() {
  showTransport();
  socket.io.engine.on("upgrade", showTransport);
  if (wasLost) say("Back online", "good");
  else hush();
  wasLost = false;
  join();
}

function onDisconnect(reason) {
  joined = false;
  clearTypists();
  if (reason === "io client disconnect") return;
  wasLost = true;
  showStatus("waiting", "Offline");
  say("Connection lost. Reconnecting…", "waiting");
  // The client leaves it to us to come back when it was the server that ended the connection.
  if (reason === "io server disconnect") setTimeout(() => { if (!$("chat").hidden) socket.connect(); }, 1000);
}

function onConnectError(error) {
  if (!socket.active) return showWelcome(error.message); // refused, so trying again would not help
  wasLost = true;
  showStatus("waiting", "Offline");
  say("The server cannot be reached. Reconnecting…", "waiting");
}

function listen() {
  socket.on("connect", onConnect);
  socket.on("disconnect", onDisconnect);
  socket.on("connect_error", onConnectError);
  socket.on("message", receive);
  socket.on("typing", hearTyping);
  socket.on("rooms", (list) => { rooms = list; showRooms(rooms, room, enterRoom); });
  socket.on("people", ({ room: where, people }) => {
    if (where !== room) return;
    showPeople(people, me.id);
    for (const id of [...typists.keys()]) if (!people.some((person) => person.id === id)) forgetTypist(id);
  });

  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    me.name = $("name").value.trim().replace(/\s+/g, " ");
    if (me.name) enter();
  });
  $("create").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("new-room").value.trim().replace(/\s+/g, " ");
    if (!name) return;
    $("new-room").value = "";
    enterRoom(name);
    $("text").focus();
  });
  $("compose").addEventListener("submit", (event) => { event.preventDefault(); submit(); $("text").focus(); });
  $("text").addEventListener("input", textChanged);
  $("text").addEventListener("keydown", (event) => {
    // isComposing: the Enter that ends the choice of an East Asian character sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  $("leave").addEventListener("click", leave);
  $("menu").addEventListener("click", () => { setDrawer(true); $("rooms").querySelector("[aria-current]")?.focus(); });
  $("backdrop").addEventListener("click", () => setDrawer(false));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.body.classList.contains("drawer-open")) return;
    setDrawer(false);
    $("menu").focus();
  });
  addEventListener("hashchange", () => { if (roomOfAddress() !== room) enterRoom(roomOfAddress()); });
  addEventListener("visibilitychange", () => { if (!document.hidden) showUnread(0); });
  matchMedia("(max-width: 760px)").addEventListener("change", () => setDrawer(false));
}

function start() {
  const pollingOnly = new URLSearchParams(location.search).get("transport") === "polling";
  socket = io({
    autoConnect: false,
    reconnectionDelayMax: 2000,
    auth: (answer) => answer({ name: me.name, token: me.token }),
    ...(pollingOnly && { transports: ["polling"] }),
  });
  window.socket = socket; // to be looked at from the browser's console
  listen();
  setDrawer(false);
  if (me.name) enter();
  else showWelcome("");
}

if (typeof io === "undefined") $("broken").hidden = false;
else start();
