// Scenarios with the JavaScript client 2.x, which speaks revision 3 of Engine.IO and 4 of Socket.IO; run by run.cjs like
// the others. Its API: callbacks for acks, an `error` event for a refusal, ids that the client works out itself.
"use strict";

const io = require("socket.io-client-2");
const { pause } = require("./until.cjs");

const ENDS = ["connect_error", "error", "connect_timeout"];

function opened(bench, namespace = "/", { transports, ...options } = {}) {
  const socket = io(bench.url + namespace, {
    forceNew: true,
    reconnection: false,
    transports: transports ?? bench.options.manager?.transports ?? ["polling", "websocket"],
    ...options,
  });
  // What run.cjs wants to see of a socket, should the scenario not end.
  socket.received = [];
  bench.sockets.push(socket);
  return socket;
}

function until(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, (...args) => resolve(args));
    for (const end of ENDS) if (end !== event) socket.once(end, (error) => reject(new Error(`${end}: ${error}`)));
  });
}

async function connected(bench, namespace, options) {
  const socket = opened(bench, namespace, options);
  await until(socket, "connect");
  return socket;
}

const call = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));

async function upgraded(socket) {
  while (socket.io.engine.transport.name !== "websocket") await pause(5);
}

module.exports = {
  async v2Connect(bench) {
    const socket = opened(bench);
    const names = [];
    socket.io.engine.on("upgrade", (transport) => names.push(transport.name));
    await until(socket, "connect");
    names.unshift(socket.io.engine.transport.name);
    const [[server]] = [await call(socket, "who am I")];
    if (!bench.options.manager?.transports) await upgraded(socket);
    const [echo] = await call(socket, "echo", "after");
    return { id: socket.id, engine: socket.io.engine.id, server, names, echo };
  },

  // Arguments of every kind, there and back, in events and in acks of both sides.
  async v2Data(bench) {
    const socket = await connected(bench);
    if (!bench.options.manager?.transports) await upgraded(socket);
    const sent = [
      ["text", "žluť 🐎 漢字", 'quotes "\\/'],
      [1, 1.5, -2, null, true, [], {}, { deep: [{ er: 1 }] }],
      [Buffer.from([0, 1, 254, 255])],
      [Buffer.alloc(0), { nested: [Buffer.from("é"), "text"] }, Buffer.alloc(5000, 7)],
      ["x".repeat(300), "😀".repeat(300)],
    ];
    const echoes = [];
    const bounces = [];
    for (const args of sent) {
      echoes.push(await call(socket, "echo", ...args));
      const bounced = until(socket, "bounced");
      socket.emit("bounce", ...args);
      bounces.push(await bounced);
    }
    socket.on("question", (question, answer) => answer("yes", { question }, Buffer.from("bytes")));
    const answered = until(socket, "answered");
    socket.emit("ask with callback");
    return { sent, echoes, bounces, answered: (await answered)[0], waited: await call(socket, "ask and wait", [1]) };
  },

  // A hundred emits of each side in one tick.
  async v2Bursts(bench, { key }) {
    const socket = await connected(bench, "/", { query: { key } });
    const ticks = [];
    socket.on("tick", (number) => ticks.push(number));
    socket.emit("burst", 100);
    for (let number = 0; number < 100; number++) socket.emit("note", number);
    await call(socket, "echo", "done");
    while (ticks.length < 100) await pause(5);
    return ticks;
  },

  // Both sides emit while the connection changes under them.
  async v2UpgradeStream(bench, { key }) {
    const socket = await connected(bench, "/", { query: { key }, upgrade: false });
    const ticks = [];
    socket.on("tick", (number) => ticks.push(number));
    let sent = 0;
    const timer = setInterval(() => {
      for (let index = 0; index < 10; index++) socket.emit("note", ++sent);
    }, 2);
    socket.emit("start stream");
    while (ticks.length < 100) await pause(5);
    socket.io.engine.probe("websocket");
    await upgraded(socket);
    socket.emit("end stream", 1000);
    const [total] = await until(socket, "end of stream");
    clearInterval(timer);
    await call(socket, "echo", "done");
    return { transport: socket.io.engine.transport.name, total, ticks, sent };
  },

  // Three namespaces on one connection, one of them with a query, left and entered again.
  async v2Namespaces(bench, { key }) {
    const main = await connected(bench, "/", { query: { key } });
    const chat = main.io.socket("/chat", { query: { token: "a b&c", n: 1 } });
    const legacy = main.io.socket("/legacy");
    await Promise.all([until(chat, "connect"), until(legacy, "connect")]);
    const ids = [main, chat, legacy].map((socket) => socket.id);
    const enter = await call(chat, "enter");
    const heard = until(chat, "said");
    chat.emit("say", "hi");
    const [said] = await heard;
    const echo = await call(legacy, "echo", "legacy");
    legacy.disconnect();
    const stillThere = await call(main, "echo", "main");
    legacy.connect();
    await until(legacy, "connect");
    const again = await call(legacy, "echo", "again");
    return { engine: main.io.engine.id, ids, enter, said, echo, stillThere, again };
  },

  // A namespace that says no leaves the connection alone.
  async v2Refusal(bench, { namespace, key }) {
    const main = await connected(bench, "/", { query: { key } });
    const refused = main.io.socket(namespace);
    const error = await new Promise((resolve) => refused.once("error", resolve));
    return { error, connected: refused.connected, echo: await call(main, "echo", 1) };
  },

  async v2MainRefused(bench) {
    const socket = opened(bench);
    const error = await new Promise((resolve) => socket.once("error", resolve));
    return { error, connected: socket.connected };
  },

  async v2ClientDisconnect(bench, { key }) {
    const socket = await connected(bench, "/", { query: { key } });
    const ended = until(socket, "disconnect");
    socket.disconnect();
    return (await ended)[0];
  },

  async v2ServerDisconnect(bench, { key }) {
    const socket = await connected(bench, "/", { query: { key } });
    const ended = until(socket, "disconnect");
    socket.emit("kick");
    return (await ended)[0];
  },

  // The connection breaks, and the client comes back by itself, with another id.
  async v2Reconnect(bench, { key }) {
    const socket = await connected(bench, "/", { query: { key }, reconnection: true, reconnectionDelay: 20 });
    const chat = socket.io.socket("/chat");
    await until(chat, "connect");
    const before = [socket.id, chat.id];
    const ended = new Promise((resolve) => socket.once("disconnect", resolve));
    const back = [socket, chat].map((one) => new Promise((resolve) => one.once("connect", resolve)));
    socket.io.engine.transport.onError("on purpose");
    const reason = await ended;
    await Promise.all(back);
    return { reason, before, after: [socket.id, chat.id], echo: await call(socket, "echo", "back") };
  },

  // One broadcast to clients of both protocols over all transports.
  async v2Mixed(bench) {
    const old = await Promise.all(
      ["polling", "websocket"].map((transport) => connected(bench, "/", { transports: [transport] }))
    );
    old.push(await connected(bench, "/", { transports: ["polling"], forceBase64: true }));
    old.push(await connected(bench, "/", { transports: ["websocket"], forceBase64: true }));
    const current = await Promise.all(
      ["polling", "websocket"].map((transport) => bench.connected("/", { transports: [transport] }))
    );
    const all = [...old, ...current];
    for (const socket of all) await call(socket, "join", "mixed");
    const told = all.map((socket) => new Promise((resolve) => socket.once("told", (...args) => resolve(args))));
    const data = { bytes: Buffer.from([0, 1, 2, 255]), text: "é😀" };
    old[0].emit("tell", data, { to: "mixed" });
    const first = await Promise.all(told);
    const again = all.map((socket) => new Promise((resolve) => socket.once("told", (...args) => resolve(args))));
    current[1].emit("tell", "text only 😀", { to: "mixed" });
    return { data, first, again: await Promise.all(again) };
  },

  // Longer than the server's patience with a client that doesn't ping.
  async v2Heartbeat(bench, { seconds }) {
    const socket = await connected(bench);
    let pongs = 0;
    socket.on("pong", () => pongs++);
    let end = null;
    socket.once("disconnect", (reason) => (end = reason));
    await pause(seconds * 1000);
    return { pongs, end, echo: await call(socket, "echo", "alive") };
  },
};
