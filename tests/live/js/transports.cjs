// Scenarios: the upgrade, forced transports, compression of polling bodies.
"use strict";

const { until, count, pause } = require("./until.cjs");

module.exports = {
  // As a page does it: polling first, the upgrade as soon as the client likes.
  async upgrade(bench) {
    const socket = bench.open();
    const names = [];
    socket.io.on("open", () => {
      names.push(socket.io.engine.transport.name);
      socket.io.engine.on("upgrade", (transport) => names.push(transport.name));
      socket.io.engine.on("upgradeError", (error) => names.push(error.message));
    });
    await until(socket, "connect");
    while (names.length < 2) await pause(5);
    const echo = await socket.emitWithAck("echo", "over", Buffer.from("WebSocket"));
    return { names, echo, transport: socket.io.engine.transport.name, id: socket.id, self: await socket.emitWithAck("who am I") };
  },

  // Both sides emit 1, 2, 3... while the connection changes under them. The client's own probe is held back until the
  // streams flow, so that there is something to lose.
  async upgradeStream(bench, { key }) {
    const socket = await bench.connected("/", { query: { key }, upgrade: false });
    const engine = socket.io.engine;
    let sent = 0;
    const send = () => {
      for (let index = 0; index < 10; index++) socket.emit("note", ++sent);
    };
    const timer = setInterval(send, 2);
    socket.emit("start stream");
    await count(socket, "tick", 100);
    const before = { transport: engine.transport.name, ticks: (await count(socket, "tick", 1)).length, sent };
    const upgraded = until(engine, "upgrade");
    engine._probe("websocket");
    await upgraded;
    const after = { transport: engine.transport.name, ticks: (await count(socket, "tick", 1)).length, sent };
    socket.emit("end stream", 2000);
    const [total] = await until(socket, "end of stream");
    while (sent < 2000) await pause(5);
    clearInterval(timer);
    await socket.emitWithAck("echo", "done");
    return { before, after, sent, total, ticks: (await count(socket, "tick", total)).map(([number]) => number) };
  },

  // Only one transport is allowed: it carries everything and no other is tried.
  async forced(bench, { transport }) {
    const socket = bench.open("/", { transports: [transport] });
    const names = [];
    socket.io.on("open", () => {
      names.push(socket.io.engine.transport.name);
      socket.io.engine.on("upgrading", (other) => names.push(other.name));
    });
    await until(socket, "connect");
    const echoes = [];
    for (let number = 0; number < 10; number++) echoes.push(await socket.emitWithAck("echo", number));
    await pause(50);
    socket.emit("bounce", "pushed", Buffer.from("bytes"));
    return { names, echoes, bounced: await until(socket, "bounced"), transport: socket.io.engine.transport.name };
  },

  // The bodies of polling answers, read as a browser reads them.
  async compression(bench) {
    const address = `${bench.url}/socket.io/?EIO=4&transport=polling`;
    const get = async (query, encoding) => {
      const response = await fetch(address + query, { headers: { "Accept-Encoding": encoding } });
      return { encoding: response.headers.get("content-encoding"), status: response.status, body: await response.text() };
    };
    const post = (query, body) => fetch(address + query, { method: "POST", body }).then((response) => response.text());
    const results = {};
    for (const encoding of ["gzip", "deflate", "identity"]) {
      const open = await get("", encoding);
      const sid = "&sid=" + JSON.parse(open.body.slice(1)).sid;
      await post(sid, "40");
      await get(sid, encoding);
      const text = "compress me ".repeat(500);
      await post(sid, `42${JSON.stringify(["bounce", text])}`);
      const long = await get(sid, encoding);
      await post(sid, `42${JSON.stringify(["bounce", "short"])}`);
      const short = await get(sid, encoding);
      results[encoding] = {
        open: open.encoding,
        long: long.encoding,
        same: long.body === `42${JSON.stringify(["bounced", text])}`,
        short: short.encoding,
        shortBody: short.body,
      };
      await post(sid, "1");
    }
    return results;
  },
};
