// The official client, driven from Python: one JSON command a line on stdin, one JSON report a line on stdout.
// Every command is answered by {"reply": its number, "value": ...} or {"reply": ..., "error": ...}; whatever happens to
// a socket is reported as {"client": its name, "kind": ..., ...} in the order in which it happened.
"use strict";

const readline = require("node:readline");
const { Manager } = require("socket.io-client");
const { pack, unpack } = require("./wire.cjs");

const sockets = new Map();

function report(entry) {
  process.stdout.write(JSON.stringify(entry) + "\n");
}

const COMMANDS = {
  open({ client, url, namespace, auth, share, options }) {
    const manager = share
      ? sockets.get(share).io
      : new Manager(url, { autoConnect: false, rejectUnauthorized: false, ...options });
    const socket = manager.socket(namespace, { auth: unpack(auth) ?? undefined });
    const tell = (kind, entry) => report({ client, kind, ...entry });
    socket.answers = {};
    sockets.set(client, socket);
    socket.on("connect", () =>
      tell("connect", { sid: socket.id, transport: manager.engine.transport.name, recovered: socket.recovered })
    );
    // The details of a WebSocket's end are its close event: 1006 is an end without a close frame.
    socket.on("disconnect", (reason, details) => tell("disconnect", { reason, code: details?.context?.code ?? null }));
    socket.on("connect_error", (error) =>
      tell("connect_error", { message: error.message, data: pack(error.data), active: socket.active })
    );
    socket.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : null;
      tell("event", { event, args: pack(args), ack: ack !== null });
      const answer = ack && socket.answers[event];
      const acknowledge = () => ack(...(answer.args ?? args));
      if (answer?.delay) setTimeout(acknowledge, answer.delay);
      else if (answer) acknowledge();
    });
    if (!share) {
      manager.on("open", () => {
        tell("open", { transport: manager.engine.transport.name });
        manager.engine.on("upgrade", (transport) => tell("upgrade", { transport: transport.name }));
      });
      manager.on("close", (reason) => tell("closed", { reason }));
      manager.on("reconnect_attempt", (attempt) => tell("reconnect_attempt", { attempt }));
    }
    socket.connect();
  },

  connect: ({ client }) => void sockets.get(client).connect(),

  disconnect: ({ client }) => void sockets.get(client).disconnect(),

  // The answer to a server's question, after milliseconds: a list of arguments, or null to give its own back.
  answer({ client, event, args, delay }) {
    sockets.get(client).answers[event] = { args: unpack(args), delay };
  },

  // What the socket sends along with CONNECT from now on.
  authenticate: ({ client, auth }) => void (sockets.get(client).auth = unpack(auth)),

  // End the connection below the sockets: in good order, or without a word (WebSocket only).
  breakOff({ client, rudely }) {
    const { engine } = sockets.get(client).io;
    if (rudely) engine.transport.ws?.terminate();
    else engine.close();
  },

  emit: ({ client, args }) => void sockets.get(client).emit(...unpack(args)),

  call: ({ client, args }) =>
    new Promise((resolve) => sockets.get(client).emit(...unpack(args), (...answer) => resolve(pack(answer)))),

  // A call that may never be answered; if it is, that is reported.
  ask: ({ client, args }) =>
    void sockets.get(client).emit(...unpack(args), (...answer) => report({ client, kind: "ack", args: pack(answer) })),

  state({ client }) {
    const socket = sockets.get(client);
    const engine = socket.io.engine;
    return {
      sid: socket.id ?? null,
      connected: socket.connected,
      active: socket.active,
      transport: engine?.transport?.name ?? null,
      recovered: socket.recovered ?? null,
      offset: socket._lastOffset ?? null,
    };
  },
};

readline
  .createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { number, command, ...parameters } = JSON.parse(line);
    try {
      report({ reply: number, value: (await COMMANDS[command](parameters)) ?? null });
    } catch (error) {
      report({ reply: number, error: String(error?.stack ?? error) });
    }
  })
  .on("close", () => process.exit(0));
