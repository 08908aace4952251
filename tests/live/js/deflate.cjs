// Scenarios: WebSocket compression (permessage-deflate), as the official client uses it under Node.
"use strict";

const { randomBytes } = require("node:crypto");
const { until, count } = require("./until.cjs");

const TEXT = "some wörds, 漢字 and 😀; ".repeat(5_000);
const ZEROS = Buffer.alloc(200_000);
const NOISE = randomBytes(100_000);

const isSame = (one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)) === 0;

// What the socket's WebSocket has agreed to, and the bytes on its wire so far.
function wire(socket) {
  const { ws } = socket.io.engine.transport;
  return ws ? { agreed: ws.extensions, read: ws._socket.bytesRead, written: ws._socket.bytesWritten } : {};
}

module.exports = {
  async deflate(bench) {
    const socket = await bench.connected();
    if (socket.io.engine.transport.name !== "websocket") await until(socket.io.engine, "upgrade");
    const before = wire(socket);
    const same = {};
    for (const round of [1, 2, 3]) {
      same[`text ${round}`] = (await socket.emitWithAck("echo", TEXT)) === TEXT;
      same[`zeros ${round}`] = isSame(await socket.emitWithAck("echo", ZEROS), ZEROS);
      same[`short ${round}`] = (await socket.emitWithAck("echo", "x")) === "x";
    }
    const after = wire(socket);
    const [text, zeros, noise] = await socket.emitWithAck("echo", [TEXT, ZEROS, NOISE]);
    same.mixed = text === TEXT && isSame(zeros, ZEROS) && isSame(noise, NOISE);
    return {
      same,
      agreed: after.agreed,
      read: after.read - before.read,
      written: after.written - before.written,
      plain: 3 * (Buffer.byteLength(TEXT) + ZEROS.length),
    };
  },

  async deflateBroadcast(bench, { room }) {
    const kinds = {
      deflating: { transports: ["websocket"], perMessageDeflate: { threshold: 0 } },
      another: { transports: ["websocket"], perMessageDeflate: true },
      plain: { transports: ["websocket"], perMessageDeflate: false },
      polling: { transports: ["polling"] },
    };
    const names = Object.keys(kinds);
    const sockets = {};
    for (const name of names) {
      sockets[name] = await bench.connected("/", kinds[name]);
      await sockets[name].emitWithAck("join", room);
    }
    const before = Object.fromEntries(names.map((name) => [name, wire(sockets[name])]));
    sockets.polling.emit("tell", { text: TEXT, zeros: ZEROS, noise: NOISE, short: Buffer.from("x") }, { to: room });
    const told = await Promise.all(names.map((name) => count(sockets[name], "told", 1)));
    return Object.fromEntries(
      names.map((name, index) => {
        const [{ text, zeros, noise, short }] = told[index][0];
        const same = text === TEXT && isSame(zeros, ZEROS) && isSame(noise, NOISE) && isSame(short, Buffer.from("x"));
        const { agreed, read } = wire(sockets[name]);
        return [name, { same, agreed, read: read - before[name].read }];
      })
    );
  },
};
