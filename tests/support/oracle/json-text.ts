/**
 * The oracle's JSON: every scalar as the text it was written with, every key in its place.
 *
 * JSON.parse alone decides what is JSON; the small reader after it may then trust the text, and
 * keeps what JSON.parse throws away: the digits of numbers, and keys that come twice.
 */
export type Json =
  | { readonly kind: 'object'; readonly entries: readonly (readonly [key: string, value: Json])[] }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | { readonly kind: 'string' | 'bare'; readonly text: string };

/** A punctuation mark, a string with its quotes, or anything bare (number, true, false, null). */
const TOKEN = /[ \t\r\n]*([{}[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+)/y;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of bytes, undefined when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The value a text holds, undefined when it is not exactly one JSON value. */
export function readJson(text: string): Json | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  TOKEN.lastIndex = 0;
  return value(text, next(text));
}

function next(text: string): string {
  const token = TOKEN.exec(text)?.[1];
  if (token === undefined) throw new Error(`the oracle cannot read ${text}`);
  return token;
}

function value(text: string, token: string): Json {
  if (token === '{') {
    const entries: [string, Json][] = [];
    for (let at = next(text); at !== '}'; at = next(text)) {
      const key = at === ',' ? next(text) : at;
      next(text); // the colon
      entries.push([unquoted(key), value(text, next(text))]);
    }
    return { kind: 'object', entries };
  }
  if (token === '[') {
    const items: Json[] = [];
    for (let at = next(text); at !== ']'; at = next(text)) {
      items.push(value(text, at === ',' ? next(text) : at));
    }
    return { kind: 'array', items };
  }
  if (token.startsWith('"')) return { kind: 'string', text: unquoted(token) };
  return { kind: 'bare', text: token };
}

function unquoted(token: string): string {
  return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
}

/** The value under the first key of that name; undefined when `json` has none. */
export function field(json: Json | undefined, key: string): Json | undefined {
  if (json?.kind !== 'object') return undefined;
  return json.entries.find(([name]) => name === key)?.[1];
}

export function isString(json: Json | undefined, text?: string): boolean {
  return json?.kind === 'string' && (text === undefined || json.text === text);
}

export function repeatsKey(json: Json): boolean {
  if (json.kind !== 'object') return false;
  return new Set(json.entries.map(([key]) => key)).size < json.entries.length;
}
