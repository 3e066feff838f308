/**
 * The environment as a layer over the files.
 *
 * Rule: the variable of a key is `BULLION_`, then its path in upper case with `_` for `.`:
 * epochs.interval_ms is BULLION_EPOCHS_INTERVAL_MS, data_dir is BULLION_DATA_DIR. A list is written
 * with commas: BULLION_LAYOUT_CORES=0,2,4. One key has a short name too: BULLION_BINANCE_STREAM is
 * exchanges.binance.channel. Any other BULLION_ name is refused, because a misspelt variable that
 * silently does nothing is worse than an error.
 */
import { KindGuard, type TSchema } from '@sinclair/typebox';
import { EXIT, UserError } from '#src/base/errors';
import type { KeyPath } from '#src/config/check';
import { CONFIG } from '#src/config/schema';
import { TOKEN_VARIABLES } from '#src/config/tokens';

const PREFIX = 'BULLION_';
const SHORT_NAMES: readonly (readonly [string, string])[] = [
  ['BULLION_BINANCE_STREAM', 'exchanges.binance.channel'],
];

/**
 * Not configuration: where recorded exchange data lies for the tests, and secrets, which never become
 * part of it (src/config/tokens.ts).
 */
const NOT_CONFIGURATION = new Set([
  'BULLION_SHARED_DATA',
  'BULLION_CATALOG_TOKEN',
  ...Object.values(TOKEN_VARIABLES),
]);

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentLayer {
  readonly data: Readonly<Record<string, unknown>>;
  /** Name of the variable that set the key. */
  where(path: KeyPath): string;
}

interface Leaf {
  readonly path: KeyPath;
  readonly schema: TSchema;
}

function leaves(schema: TSchema, path: KeyPath): Leaf[] {
  if (!KindGuard.IsObject(schema)) return [{ path, schema }];
  return Object.entries(schema.properties).flatMap(([key, child]) => leaves(child, [...path, key]));
}

/** The setting of every variable there is; two settings never share one (tested). */
const VARIABLES: ReadonlyMap<string, Leaf> = (() => {
  const all = leaves(CONFIG, []);
  const regular = all.map((leaf) => [PREFIX + leaf.path.join('_').toUpperCase(), leaf] as const);
  const short = SHORT_NAMES.map(
    ([name, key]) => [name, all.find(({ path }) => path.join('.') === key) as Leaf] as const,
  );
  return new Map([...regular, ...short]);
})();

/** Every variable there is, with the key it sets. */
export function environmentNames(): ReadonlyMap<string, KeyPath> {
  return new Map([...VARIABLES].map(([name, { path }]) => [name, path]));
}

const INTEGER = /^-?\d{1,15}$/;

/** The text as the schema wants it; text of another shape stays text and fails the check. */
function typed(schema: TSchema, text: string): unknown {
  if (KindGuard.IsInteger(schema)) return INTEGER.test(text) ? Number(text) : text;
  if (KindGuard.IsBoolean(schema)) {
    return text === 'true' ? true : text === 'false' ? false : text;
  }
  if (KindGuard.IsArray(schema)) return text === '' ? [] : text.split(',');
  const takesList = KindGuard.IsUnion(schema) && schema.anyOf.some((s) => KindGuard.IsArray(s));
  if (takesList && /^\d/.test(text)) {
    return text.split(',').map((item) => (INTEGER.test(item.trim()) ? Number(item) : item));
  }
  return text;
}

function setPath(target: Record<string, unknown>, path: KeyPath, value: unknown): void {
  const [key, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const child = (target[key] ?? {}) as Record<string, unknown>;
  target[key] = child;
  setPath(child, rest, value);
}

/** What the environment changes. Throws for a BULLION_ variable that sets nothing. */
export function environmentLayer(env: Environment): EnvironmentLayer {
  const data: Record<string, unknown> = {};
  const setBy = new Map<string, string>();
  for (const name of Object.keys(env).sort()) {
    const text = env[name];
    if (!name.startsWith(PREFIX) || text === undefined || NOT_CONFIGURATION.has(name)) continue;
    const setting = VARIABLES.get(name);
    if (setting === undefined) {
      throw new UserError(
        EXIT.config,
        `${name} is not a setting; a variable is BULLION_ and the key in upper case, such as BULLION_HTTP_PORT for http.port`,
      );
    }
    const key = setting.path.join('.');
    const other = setBy.get(key);
    if (other !== undefined) {
      throw new UserError(EXIT.config, `${other} and ${name} both set ${key}: keep one of them`);
    }
    setBy.set(key, name);
    setPath(data, setting.path, typed(setting.schema, text));
  }
  return { data, where: (path) => setBy.get(path.join('.')) ?? 'the environment' };
}
