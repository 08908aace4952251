// Scenarios: connecting, credentials, namespaces, refusals, the order of the first packets, disconnecting.
"use strict";

const { until, count } = require("./until.cjs");

module.exports = {
  async connect(bench) {
    const socket = bench.open();
    let transport;
    socket.io.on("open", () => (transport = socket.io.engine.transport.name));
    await until(socket, "connect");
    return {
      id: socket.id,
      transport,
      server: await socket.emitWithAck("who am I"),
    };
  },

  async auth(bench, { key }) {
    const given = await bench.connected("/chat", { auth: { token: "ü", list: [1, null] }, query: { key } });
    const computed = await bench.connected("/chat", { auth: (send) => send({ computed: true }), query: { key } });
    const without = await bench.connected("/chat", { query: { key } });
    return [given, computed, without].map((socket) => socket.connected);
  },

  async query(bench) {
    const socket = await bench.connected("/", { query: { name: "a b&c=d", empty: "", unicode: "žluť 🐎" } });
    return socket.emitWithAck("request");
  },

  // Four namespaces on one connection, one of them left and entered again.
  async namespaces(bench) {
    const main = await bench.connected();
    const others = ["/chat", "/legacy", "/bare"].map((name) => bench.share(main.io, name));
    await Promise.all(others.map((socket) => until(socket, "connect")));
    const [chat, legacy] = others;
    const ids = [main, ...others].map((socket) => socket.id);
    const enter = await chat.emitWithAck("enter");
    chat.emit("say", "hi");
    const [said] = await until(chat, "said");
    const echo = await legacy.emitWithAck("echo", "legacy");
    chat.disconnect();
    const mainStillThere = await main.emitWithAck("echo", "main");
    chat.connect();
    await until(chat, "connect");
    return {
      ids,
      enter,
      said,
      echo,
      mainStillThere,
      again: chat.id,
      chatWasHeard: [main, legacy].some((socket) => socket.received.length > 0),
    };
  },

  async refusal(bench, { namespace, key }) {
    const socket = bench.open(namespace, { query: { key } });
    const [error] = await until(socket, "connect_error");
    return { message: error.message, data: error.data, connected: socket.connected, active: socket.active };
  },

  // A refused namespace leaves the others of the connection alone.
  async refusedBeside(bench) {
    const main = await bench.connected();
    const refused = bench.share(main.io, "/refuse/data");
    const [error] = await until(refused, "connect_error");
    return { message: error.message, echo: await main.emitWithAck("echo", 1) };
  },

  // Socket.IO packet types (0 CONNECT, 2 EVENT, 5 BINARY_EVENT) in the order of the wire, and what the user sees.
  async early(bench) {
    const socket = bench.open("/early");
    const wire = [];
    const seen = [];
    socket.io.on("open", () =>
      socket.io.engine.on("packet", ({ type, data }) => type === "message" && wire.push(String(data)[0]))
    );
    socket.on("connect", () => seen.push("connect"));
    socket.onAny((event) => seen.push(event));
    await count(socket, "message", 1);
    return { wire: wire.filter((type) => "025".includes(type)), seen, received: socket.received };
  },

  async clientDisconnect(bench, { key }) {
    const socket = await bench.connected("/", { query: { key } });
    const reason = until(socket, "disconnect");
    socket.disconnect();
    return (await reason)[0];
  },

  async serverDisconnect(bench, { key }) {
    const socket = await bench.connected("/", { query: { key } });
    const reason = until(socket, "disconnect");
    socket.emit("kick");
    return { reason: (await reason)[0], active: socket.active };
  },

  // The Engine.IO connection is closed in good order: a close packet by POST, or a close frame.
  async transportClose(bench, { key }) {
    const socket = await bench.connected("/", { query: { key } });
    const reason = until(socket, "disconnect");
    socket.io.engine.close();
    return (await reason)[0];
  },

  // The network goes away under the WebSocket, without a close frame.
  async terminate(bench, { key }) {
    const socket = await bench.connected("/", { query: { key }, transports: ["websocket"] });
    const reason = until(socket, "disconnect");
    socket.io.engine.transport.ws.terminate();
    return (await reason)[0];
  },
};
