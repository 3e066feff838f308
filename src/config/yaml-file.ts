/**
 * One YAML file as plain data that remembers on which line each key was written. Whatever is wrong
 * with the file itself (missing, unreadable, not YAML, not a mapping) is one sentence with its name.
 */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { EXIT, errorCode, UserError } from '#src/base/errors';
import type { KeyPath } from '#src/config/check';

export interface YamlFile {
  readonly data: Readonly<Record<string, unknown>>;
  /** `configs/default.yaml:12`, the line of the key, or of its nearest parent. */
  where(path: KeyPath): string;
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === '') throw error;
    const what =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'this is a directory, not a file'
          : `the file cannot be read (${code})`;
    throw new UserError(EXIT.config, `${name}: ${what}`, { cause: error });
  }
}

/** No configuration nests this deep; the parser takes minutes and more where brackets do by thousands. */
const DEPTH_MAX = 64;

/** Offset of the bracket that opens one level too many, or -1. Brackets in texts and comments count, too. */
function tooDeepAt(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '[' || letter === '{') depth++;
    else if (letter === ']' || letter === '}') depth--;
    if (depth > DEPTH_MAX) return at;
  }
  return -1;
}

/** Offset of the key at the end of `path`, as far as the path goes in this document. */
function offsetOf(root: Node | null, path: KeyPath): number {
  let node: unknown = root;
  let offset = 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((p) => isScalar(p.key) && String(p.key.value) === key);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(key)] as Node | undefined;
      offset = item?.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}

/** Reads the file at `path`; `name` is what messages call it. */
export function readYaml(path: string, name: string): YamlFile {
  return parseYaml(readText(path, name), name);
}

/** Reads a file's text. */
export function parseYaml(text: string, name: string): YamlFile {
  const lineCounter = new LineCounter();
  const deep = tooDeepAt(text);
  if (deep >= 0) {
    const row = text.slice(0, deep).split('\n').length;
    throw new UserError(
      EXIT.config,
      `${name}:${row}: brackets are nested more than ${DEPTH_MAX} deep`,
    );
  }
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const line = (offset: number): string => `${name}:${lineCounter.linePos(offset).line}`;
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const said = problem.message.trim().replace(/\s+/g, ' ');
    throw new UserError(EXIT.config, `${line(problem.pos[0])}: this is not valid YAML: ${said}`);
  }
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // An alias without its anchor, or aliases that multiply.
    throw new UserError(EXIT.config, `${name}: this is not valid YAML: ${String(error)}`);
  }
  data ??= {}; // an empty file changes nothing
  if (typeof data !== 'object' || Array.isArray(data)) {
    throw new UserError(EXIT.config, `${name}: a mapping of keys to values was expected`);
  }
  return {
    data: data as Record<string, unknown>,
    where: (keys) => line(offsetOf(document.contents, keys)),
  };
}
