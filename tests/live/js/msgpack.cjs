// Scenarios: what only socket.io-msgpack-parser carries, clients with the wrong parser, and notepack.io itself.
"use strict";

const { encode, decode } = require("notepack.io");
const { until } = require("./until.cjs");
const { isBytes, unpack } = require("./wire.cjs");

// Dates travel to Python and back as {"$date": milliseconds}, undefined as {"$undefined": true}.
function tag(value) {
  if (value === undefined) return { $undefined: true };
  if (value instanceof Date) return { $date: value.getTime() };
  if (value === null || typeof value !== "object" || isBytes(value)) return value;
  if (Array.isArray(value)) return value.map(tag);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, tag(item)]));
}

function untag(value) {
  if (value === null || typeof value !== "object" || isBytes(value)) return value;
  if (value.$undefined) return undefined;
  if (typeof value.$date === "number") return new Date(value.$date);
  if (Array.isArray(value)) return value.map(untag);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, untag(item)]));
}

module.exports = {
  // Values that JSON has not, sent as event and returned in an acknowledgement and in an event.
  async msgpackValues(bench) {
    const socket = await bench.connected("/", { auth: { at: new Date(0), raw: Buffer.from("key") } });
    const sent = [
      new Date(1700000000123),
      new Date(-1),
      { deep: [new Date(8.64e12), Buffer.from("a"), undefined] },
      undefined,
      new ArrayBuffer(1),
      new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer,
      new Date(8.64e15),
      2 ** 53,
      -(2 ** 53),
      1.5,
      "žluť 🐎",
      Array.from({ length: 30 }, (_, index) => Buffer.from([index])),
    ];
    const echo = await new Promise((resolve) => socket.emit("echo", ...sent, (...answer) => resolve(answer)));
    const bounced = until(socket, "bounced");
    socket.emit("bounce", ...sent);
    return tag({ sent, echo, bounced: await bounced, transport: socket.io.engine.transport.name });
  },

  // A client that speaks another encoding than the server.
  async wrongParser(bench) {
    const socket = bench.open();
    const [reason] = await new Promise((resolve) => socket.io.on("close", (...args) => resolve(args)));
    return { reason, connected: socket.connected, received: socket.received };
  },

  // No server: what notepack.io writes for each value, and what it reads of each of Python's messages.
  async notepack(bench, { values, messages }) {
    return {
      written: values.map((value) => encode(untag(unpack(value))).toString("hex")),
      read: messages.map((message) => tag(decode(Buffer.from(message, "hex")))),
    };
  },
};
