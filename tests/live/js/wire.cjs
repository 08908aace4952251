// Values on their way to Python and back: JSON, with bytes as {"$bytes": base64}. Strings keep their lone surrogates,
// because JSON.stringify writes those as escapes.
"use strict";

function isBytes(value) {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function toBuffer(value) {
  return value instanceof ArrayBuffer
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function pack(value) {
  if (value === undefined) return null;
  if (value === null || typeof value !== "object") return value;
  if (isBytes(value)) return { $bytes: toBuffer(value).toString("base64") };
  if (Array.isArray(value)) return value.map(pack);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}

function unpack(value) {
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
  if (Array.isArray(value)) return value.map(unpack);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}

module.exports = { isBytes, toBuffer, pack, unpack };
