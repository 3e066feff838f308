/**
 * The inside of a JSON string: UTF-8 sequences checked, escapes decoded. All positions are byte
 * positions; -1 means the bytes are not what JSON (RFC 8259) or UTF-8 (RFC 3629) allow.
 */
const QUOTE = 34;
const BACKSLASH = 92;
const LOWER_U = 117;
const SPACE = 32;

/** What follows a backslash, and the byte it stands for; 0 where JSON defines no such escape. */
const ESCAPES = new Uint8Array(256);
for (const [letter, meant] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  ESCAPES[letter.charCodeAt(0)] = meant.charCodeAt(0);
}

/** Position after the multi-byte UTF-8 sequence at `at`: shortest form only, no surrogates. */
export function sequenceEnd(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at];
  let following = 1;
  let low = 0x80;
  let high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) following = 1;
  else if (lead >= 0xe0 && lead <= 0xef) {
    following = 2;
    if (lead === 0xe0) low = 0xa0;
    if (lead === 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    following = 3;
    if (lead === 0xf0) low = 0x90;
    if (lead === 0xf4) high = 0x8f;
  } else return -1;
  if (at + following >= end) return -1;
  if (bytes[at + 1] < low || bytes[at + 1] > high) return -1;
  for (let i = 2; i <= following; i++) {
    if (bytes[at + i] < 0x80 || bytes[at + i] > 0xbf) return -1;
  }
  return at + following + 1;
}

/** Where the string whose inside starts at `start` closes; sets nothing, decodes nothing. */
export function closingQuote(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte < SPACE) return -1;
    if (byte === BACKSLASH) {
      at = escapeEnd(bytes, at, end);
      if (at < 0) return -1;
    } else if (byte < 0x80) {
      at++;
    } else {
      at = sequenceEnd(bytes, at, end);
      if (at < 0) return -1;
    }
  }
  return -1;
}

function escapeEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return -1;
  if (bytes[at + 1] !== LOWER_U) return ESCAPES[bytes[at + 1]] !== 0 ? at + 2 : -1;
  return at + 6 <= end && hexUnit(bytes, at + 2) >= 0 ? at + 6 : -1;
}

/** Four hexadecimal digits at `at`. */
function hexUnit(bytes: Uint8Array, at: number): number {
  let unit = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i];
    const letter = (byte | 32) - 97;
    if (byte >= 48 && byte <= 57) unit = unit * 16 + (byte - 48);
    else if (letter >= 0 && letter <= 5) unit = unit * 16 + letter + 10;
    else return -1;
  }
  return unit;
}

/**
 * Decodes the inside [start, end) of a string that closingQuote accepted into `out` from `to` on;
 * answers the position after it there. Decoded text is never longer than its escapes. An unpaired
 * surrogate becomes three bytes that are not UTF-8, so it equals no text anyone compares with.
 */
export function decodeString(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
): number {
  let at = start;
  let o = to;
  while (at < end) {
    if (bytes[at] !== BACKSLASH) {
      out[o++] = bytes[at++];
    } else if (bytes[at + 1] !== LOWER_U) {
      out[o++] = ESCAPES[bytes[at + 1]];
      at += 2;
    } else {
      let point = hexUnit(bytes, at + 2);
      at += 6;
      if (point >= 0xd800 && point <= 0xdbff && at + 6 <= end && isUnicodeEscape(bytes, at)) {
        const low = hexUnit(bytes, at + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
          point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
          at += 6;
        }
      }
      o = encodePoint(point, out, o);
    }
  }
  return o;
}

function isUnicodeEscape(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === BACKSLASH && bytes[at + 1] === LOWER_U;
}

function encodePoint(point: number, out: Uint8Array, to: number): number {
  let o = to;
  if (point < 0x80) out[o++] = point;
  else {
    if (point < 0x800) out[o++] = 0xc0 | (point >> 6);
    else {
      if (point < 0x10000) out[o++] = 0xe0 | (point >> 12);
      else {
        out[o++] = 0xf0 | (point >> 18);
        out[o++] = 0x80 | ((point >> 12) & 0x3f);
      }
      out[o++] = 0x80 | ((point >> 6) & 0x3f);
    }
    out[o++] = 0x80 | (point & 0x3f);
  }
  return o;
}
