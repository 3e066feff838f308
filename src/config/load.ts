/**
 * Loads the configuration: configs/default.yaml, then the file of `--config` (only the keys that
 * differ), then the environment; later layers win. The result is complete, checked and frozen.
 *
 * Whatever is wrong ends as one UserError with exit code `config` that names the file and line (or
 * the variable), the key and what is allowed. Nothing is written and no default is silently used:
 * a key that no layer sets is an error as well.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, UserError } from '#src/base/errors';
import { firstFault, type KeyPath } from '#src/config/check';
import { type Environment, environmentLayer } from '#src/config/environment';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { CONFIG, type Config } from '#src/config/schema';
import { readYaml } from '#src/config/yaml-file';

export interface LoadOptions {
  readonly env: Environment;
  /** Directory that relative paths start from: `configPath` and the key data_dir. */
  readonly cwd: string;
  /** Argument of `--config`. */
  readonly configPath?: string;
  /** Directory that holds configs/; the package's own unless a test says otherwise. */
  readonly root?: string;
}

type Data = Readonly<Record<string, unknown>>;

export interface Layer {
  readonly data: Data;
  where(path: KeyPath): string;
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Mappings merge key by key; anything else, lists included, is replaced as a whole. */
function merge(under: Data, over: Data): Data {
  // fromEntries defines own keys, so a key named __proto__ stays a key and is refused as unknown.
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, isData(value) && isData(below) ? merge(below, value) : value);
  }
  return Object.fromEntries(merged);
}

function has(data: Data, path: KeyPath): boolean {
  let at: unknown = data;
  for (const key of path) {
    if (Array.isArray(at) || !isData(at) || !Object.hasOwn(at, key)) return false;
    at = at[key];
  }
  return true;
}

/** The sentence with where the key was last set in front; the first layer has to be complete. */
function faultAt(layers: readonly Layer[], path: KeyPath, sentence: string): UserError {
  const key = path.filter((part) => !/^\d+$/.test(part)); // a list is set as a whole
  const layer = layers.findLast((l) => has(l.data, key)) ?? (layers[0] as Layer);
  return new UserError(EXIT.config, `${layer.where(key)}: ${sentence}`);
}

/** What no single key's schema can say. */
function brokenRelation(config: Config): { path: string; sentence: string } | undefined {
  const { exchanges, batches, http, catalog } = config;
  if (!http.allow_remote && http.host !== '127.0.0.1' && http.host !== '::1') {
    const sentence = `http.host must be 127.0.0.1 or ::1 unless http.allow_remote is true, got ${JSON.stringify(http.host)}`;
    return { path: 'http.host', sentence };
  }
  if (!Object.values(exchanges).some((exchange) => exchange.enabled)) {
    return { path: 'exchanges', sentence: 'exchanges: at least one of them must be enabled' };
  }
  for (const [name, { silence_limit_ms, connection_age_max_ms }] of Object.entries(exchanges)) {
    if (silence_limit_ms >= connection_age_max_ms) {
      const path = `exchanges.${name}.silence_limit_ms`;
      const limit = `connection_age_max_ms, which is ${connection_age_max_ms}`;
      return { path, sentence: `${path} must be below ${limit}, got ${silence_limit_ms}` };
    }
  }
  if (catalog.type === 'rest' && catalog.uri === 'none') {
    return { path: 'catalog.uri', sentence: 'catalog.uri is missing: catalog.type is rest' };
  }
  if (batches.rows > batches.chunk_rows) {
    const limit = `batches.chunk_rows, which is ${batches.chunk_rows}`;
    const sentence = `batches.rows must not be above ${limit}, got ${batches.rows}`;
    return { path: 'batches.rows', sentence };
  }
  return undefined;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}

/** A relative path starts at `cwd`; where nothing lies there, at the package: `configs/demo.yaml`. */
export function locate(path: string, cwd: string, root: string): string {
  const here = resolve(cwd, path);
  const packaged = resolve(root, path);
  return !existsSync(here) && existsSync(packaged) ? packaged : here;
}

export function loadConfig(options: LoadOptions): Config {
  const { env, cwd, configPath, root = PACKAGE_ROOT } = options;
  const layers: Layer[] = [readYaml(join(root, 'configs/default.yaml'), 'configs/default.yaml')];
  if (configPath !== undefined) {
    layers.push(readYaml(locate(configPath, cwd, root), configPath));
  }
  layers.push(environmentLayer(env));
  return configOf(layers, cwd);
}

/** The layers as one, checked: the first is complete, later ones win. */
export function configOf(layers: readonly Layer[], cwd: string): Config {
  const data = layers.reduce<Data>((merged, layer) => merge(merged, layer.data), {});
  const fault = firstFault(CONFIG, data);
  if (fault !== undefined) throw faultAt(layers, fault.path, fault.sentence);
  const config = data as unknown as Config;
  const broken = brokenRelation(config);
  if (broken !== undefined) throw faultAt(layers, broken.path.split('.'), broken.sentence);
  return deepFreeze({ ...config, data_dir: resolve(cwd, config.data_dir) });
}
