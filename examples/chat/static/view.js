/* People and rooms as elements. What somebody typed is only ever set as textContent. */

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function icon(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  made.setAttribute("class", "glyph");
  made.append(use);
  return made;
}

function initials(name) {
  const words = name.split(" ").filter(Boolean);
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return picked.map((word) => [...word][0]).join("").toUpperCase();
}

/* The colour comes from the id, so that two people of one name look different. */
function hue(id) {
  return (parseInt(id.slice(0, 6), 16) % 18) * 20;
}

export function avatar(person) {
  const face = element("span", "avatar", initials(person.name));
  face.style.setProperty("--hue", hue(person.id));
  face.setAttribute("aria-hidden", "true");
  return face;
}

export function showPeople(people, you) {
  $("people").replaceChildren(...people.map((person) => {
    const row = element("li", "person");
    row.append(avatar(person), element("bdi", "person-name", person.name));
    if (person.id === you) row.append(element("span", "tag", "you"));
    return row;
  }));
  $("faces").replaceChildren(...people.slice(0, 4).map(avatar));
  $("count").textContent = people.length === 1 ? "1 person" : `${people.length} people`;
}

export function showRooms(rooms, current, go) {
  const known = rooms.some((room) => room.name === current) ? rooms : [...rooms, { name: current, people: 0 }];
  $("rooms").replaceChildren(...known.map((room) => {
    const button = element("button", "room");
    button.type = "button";
    button.dataset.room = room.name;
    button.append(element("span", "hash", "#"), element("bdi", "room-name", room.name));
    if (room.people) {
      const count = element("span", "room-count", room.people);
      count.setAttribute("aria-label", room.people === 1 ? "1 person" : `${room.people} people`);
      button.append(count);
    }
    if (room.name === current) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => go(room.name));
    const row = element("li");
    row.append(button);
    return row;
  }));
}

export function showTyping(people) {
  const names = [...people].map((person) => person.name);
  const who = names.length > 2 ? "Several people" : names.join(" and ");
  $("typing").dataset.shown = String(names.length > 0);
  if (names.length) $("typing-text").textContent = `${who} ${names.length > 1 ? "are" : "is"} typing`;
  else $("typing-text").textContent = "";
}

let hiding;

/* tone: "waiting" stays until something else is said, "good" and "bad" go away by themselves. */
export function say(text, tone) {
  clearTimeout(hiding);
  $("banner").textContent = text;
  $("banner").dataset.tone = tone;
  $("banner").dataset.shown = "true";
  if (tone !== "waiting") hiding = setTimeout(hush, tone === "good" ? 2000 : 6000);
}

export function hush() {
  $("banner").dataset.shown = "false";
  $("banner").textContent = "";
}

export function showStatus(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}
