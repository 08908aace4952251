/* The messages of one room, in the server's order, each once.

   A message's id counts within one epoch (one life of the room on the server). Our own message is shown at once, without
   an id, and gets one when the server acknowledges it; the key it was sent with tells which one that is. */

import { $, avatar, element, icon } from "./view.js";

const KEPT = 500;
const GROUP_MS = 5 * 60 * 1000;
const STATES = { pending: "Sending", delivered: "Delivered", failed: "Not sent" };

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

function dayName(at) {
  const day = new Date(at).toDateString();
  if (day === new Date().toDateString()) return "Today";
  if (day === new Date(Date.now() - 86_400_000).toDateString()) return "Yesterday";
  return weekday.format(at);
}

export class Conversation {
  constructor() {
    this.clear();
    $("latest").addEventListener("click", () => this.toEnd());
    $("scroll").addEventListener("scroll", () => { if (this.atEnd()) $("latest").hidden = true; });
    new ResizeObserver(() => { if (this.following) this.toEnd(); }).observe($("scroll"));
  }

  clear() {
    this.items = [];
    this.epoch = null;
    this.lastId = 0;
    this.following = true;
    $("messages").replaceChildren();
    $("latest").hidden = true;
    $("empty").hidden = true;
  }

  /* What the server sent when we joined: everything it keeps, or what we missed. */
  catchUp(epoch, messages, you) {
    $("messages").setAttribute("aria-busy", "true");
    if (this.epoch !== null && this.epoch !== epoch) {
      this.epoch = epoch;
      this.lastId = 0;
      this.note("The server was restarted. What is above is only on this page.", 0);
    } else if (this.lastId && messages.length && messages[0].id > this.lastId + 1) {
      this.note("Some messages in between are no longer kept.", messages[0].id - 0.5);
    }
    this.epoch = epoch;
    for (const message of messages) this.add(message, message.author.id === you);
    $("messages").removeAttribute("aria-busy");
    $("empty").hidden = this.items.length > 0;
  }

  add(message, mine) {
    const waiting = this.items.find((item) => item.id === undefined && mine && item.key === message.key);
    this.lastId = Math.max(this.lastId, message.id);
    if (this.items.some((item) => item.epoch === this.epoch && item.id === message.id)) return;
    this.change(mine, () => {
      const item = waiting ?? { node: element("li"), key: message.key, author: message.author, text: message.text, mine };
      Object.assign(item, { id: message.id, epoch: this.epoch, at: message.at, state: mine ? "delivered" : "received" });
      this.place(item);
    });
  }

  addPending(entry, author) {
    const { key, text, at } = entry;
    this.change(true, () => this.place({ node: element("li"), key, author, text, at, mine: true, state: "pending" }));
  }

  fail(key, reason) {
    const item = this.items.find((each) => each.key === key && each.id === undefined);
    if (item) this.change(false, () => { item.state = "failed"; item.reason = reason; });
  }

  note(text, id) {
    const node = element("li", "note", text);
    this.change(false, () => this.place({ node, id, epoch: this.epoch, note: true }));
  }

  /* What has no id yet stays at the end; the others stand in the order of their ids. */
  place(item) {
    this.items = this.items.filter((each) => each !== item);
    let index = this.items.length;
    const isLater = (other) => other.id === undefined || (other.epoch === item.epoch && other.id > item.id);
    while (item.id !== undefined && index > 0 && isLater(this.items[index - 1])) index -= 1;
    this.items.splice(index, 0, item);
    const next = this.items[index + 1]?.node ?? null;
    if (item.node.parentNode === null || item.node.nextSibling !== next) $("messages").insertBefore(item.node, next);
  }

  change(follow, work) {
    const stay = follow || this.atEnd();
    const before = this.items.length;
    work();
    for (const item of this.items.splice(0, Math.max(0, this.items.length - KEPT))) item.node.remove();
    this.items.forEach((item, index) => this.draw(item, this.items[index - 1], this.items[index + 1]));
    $("empty").hidden = this.items.length > 0;
    if (stay) this.toEnd();
    else if (this.items.length > before) $("latest").hidden = false;
  }

  draw(item, before, after) {
    if (item.note) return;
    const follows = (one, other) => Boolean(one && other) && !one.note && !other.note && one.author.id === other.author.id
      && other.at - one.at < GROUP_MS && dayName(one.at) === dayName(other.at);
    const newDay = !before || (!before.note && dayName(before.at) !== dayName(item.at));
    const look = [item.state, item.at, follows(before, item), follows(item, after), newDay].join();
    if (item.look === look) return;
    item.look = look;
    const { node } = item;
    node.className = "message";
    node.classList.toggle("mine", item.mine);
    node.classList.toggle("first", !follows(before, item));
    node.classList.toggle("last", !follows(item, after));
    node.dataset.state = item.state;

    const bubble = element("div", "bubble");
    const text = element("span", "text", item.text);
    text.dir = "auto";
    bubble.append(text, this.meta(item));
    const body = element("div", "body");
    if (!follows(before, item)) body.append(element("bdi", item.mine ? "author visually-hidden" : "author", item.author.name));
    body.append(bubble);
    if (item.reason) body.append(element("span", "reason", item.reason));
    const row = element("div", "row");
    row.append(avatar(item.author), body);
    node.replaceChildren(row);
    if (newDay) node.prepend(element("div", "day", dayName(item.at)));
  }

  meta(item) {
    const meta = element("span", "meta");
    const time = element("time", "", clock.format(item.at));
    time.dateTime = new Date(item.at).toISOString();
    time.title = full.format(item.at);
    meta.append(time);
    if (item.mine) {
      const tick = icon(item.state);
      tick.classList.add("tick");
      tick.setAttribute("role", "img");
      tick.setAttribute("aria-label", STATES[item.state]);
      meta.append(tick);
    }
    return meta;
  }

  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = $("scroll");
    this.following = scrollHeight - scrollTop - clientHeight < 80;
    return this.following;
  }

  toEnd() {
    this.following = true;
    $("scroll").scrollTop = $("scroll").scrollHeight;
    $("latest").hidden = true;
  }
}
