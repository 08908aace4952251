// Scenarios: acks, bytes, text, sizes, order, volatile.
"use strict";

const { createHash } = require("node:crypto");
const { until, count } = require("./until.cjs");
const { toBuffer } = require("./wire.cjs");

const digest = (data) => createHash("sha256").update(data).digest("hex");

function noise(size, seed) {
  const buffer = Buffer.alloc(size);
  for (let index = 0, state = seed; index < size; index++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    buffer[index] = state >> 16;
  }
  return buffer;
}

const TEXTS = {
  ascii: "plain",
  latin: "žluťoučký kůň",
  cjk: "漢字かな",
  emoji: "👩‍👩‍👧‍👦🏳️‍🌈",
  "high surrogate": "a\ud800b",
  "low surrogate": "\udc00",
  separators: "\u2028\u2029\u001e\u0000\u007f\ufeff",
  quotes: "\"\\/\b\f\n\r\t'",
  "packet alike": '42["x"]\u001eb4AAEC',
};

module.exports = {
  async acks(bench) {
    const socket = await bench.connected();
    const values = {};
    for (const name of ["none", "string", "number", "false", "list", "dict", "tuple", "empty list", "empty tuple"]) {
      values[name] = await new Promise((resolve) => socket.emit("return", name, (...args) => resolve(args)));
    }
    const question = new Promise((resolve) =>
      socket.on("question", (number, answer) => {
        answer("yes", { number }, null);
        resolve(number);
      })
    );
    socket.emit("ask with callback");
    const [answered] = await until(socket, "answered");
    const waited = await socket.emitWithAck("ask and wait", 5);
    const unhandled = await socket.timeout(300).emitWithAck("nobody handles this").catch((error) => error.message);
    return { values, question: await question, answered, waited, unhandled, id: socket.id };
  },

  async binary(bench) {
    const socket = await bench.connected();
    const big = noise(300_000, 7);
    const sent = {
      one: [Buffer.from([0, 1, 254, 255])],
      empty: [Buffer.alloc(0)],
      nested: [{ a: Buffer.from("a"), deep: [{ b: Buffer.alloc(0), c: "text" }, [Buffer.from("c"), 5]] }],
      views: [new Uint16Array([1, 2, 65535]), new Uint8Array([9]).buffer, Buffer.from("xyz").subarray(1)],
      ten: Array.from({ length: 10 }, (_, index) => Buffer.from([index])),
      big: [big],
    };
    const echoes = {};
    for (const [name, args] of Object.entries(sent)) {
      const echo = await new Promise((resolve) => socket.emit("echo", ...args, (...answer) => resolve(answer)));
      const bounced = until(socket, "bounced");
      socket.emit("bounce", ...args);
      echoes[name] =
        name === "big" ? [echo[0], ...(await bounced)].map((data) => digest(toBuffer(data))) : [echo, await bounced];
    }
    socket.on("question", (question, answer) => answer(question, Buffer.from("answer")));
    const waited = await new Promise((resolve) =>
      socket.emit("ask and wait", { attached: Buffer.from("question") }, (...answer) => resolve(answer))
    );
    return { sent: { ...sent, big: digest(big) }, echoes, waited };
  },

  // One client polls, one has a WebSocket, both are told the same bytes; `first` connects first.
  async mixedBroadcast(bench, { first }) {
    const kinds = first === "polling" ? ["polling", "websocket"] : ["websocket", "polling"];
    const sockets = {};
    for (const kind of kinds) {
      sockets[kind] = await bench.connected("/", { transports: [kind] });
      await sockets[kind].emitWithAck("join", "mixed " + first);
    }
    const data = { bytes: Buffer.from([0, 1, 2, 0xff]), more: [Buffer.from("é")], text: "é" };
    sockets.polling.emit("tell", data, { to: "mixed " + first });
    const told = await Promise.all(kinds.map((kind) => count(sockets[kind], "told", 1)));
    const after = await Promise.all(kinds.map((kind) => sockets[kind].emitWithAck("echo", kind)));
    return { data, told, after, kinds };
  },

  async text(bench) {
    const socket = await bench.connected();
    const results = {};
    for (const [name, text] of Object.entries(TEXTS)) {
      const echo = await socket.emitWithAck("echo", { [text]: text });
      const bounced = until(socket, "bounced");
      socket.emit("bounce", text);
      const room = await socket.emitWithAck("join", text);
      results[name] = { sent: text, echo, bounced: (await bounced)[0], room: room.includes(text) };
    }
    return results;
  },

  async size(bench, { size }) {
    const socket = await bench.connected();
    const text = "é".repeat(size / 2);
    const echo = await socket.emitWithAck("echo", text);
    return { same: echo === text, length: echo.length, transport: socket.io.engine.transport.name };
  },

  // A hundred emits in one tick: over polling, one request carries them all.
  async oneTick(bench, { key }) {
    const socket = await bench.connected("/", { query: { key } });
    const posts = [];
    const write = socket.io.engine.transport.write;
    socket.io.engine.transport.write = function (packets) {
      posts.push(packets.length);
      return write.call(this, packets);
    };
    for (let number = 0; number < 100; number++) socket.emit("note", number);
    const done = await socket.emitWithAck("echo", "done");
    return { posts, done };
  },

  // A hundred emits of the server in one handler.
  async burst(bench) {
    const socket = await bench.connected();
    socket.emit("burst", 100);
    return (await count(socket, "tick", 100)).map(([number]) => number);
  },

  // Even numbers take longer than odd ones.
  async order(bench, { key }) {
    const socket = await bench.connected("/", { query: { key } });
    return Promise.all(Array.from({ length: 10 }, (_, number) => socket.emitWithAck("slow note", number)));
  },

  // Volatile events arrive while the connection can take them and are dropped, not queued, while it can not.
  async volatile(bench, { key }) {
    const socket = await bench.connected("/", { query: { key } });
    socket.volatile.emit("note", "while connected");
    await socket.emitWithAck("echo", 1);
    socket.disconnect();
    socket.volatile.emit("note", "volatile while away");
    socket.emit("note", "kept while away");
    socket.connect();
    await until(socket, "connect");
    return socket.emitWithAck("echo", "back");
  },
};
