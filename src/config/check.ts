/**
 * Checks plain data against a schema and puts the first fault into words: which key, what is
 * allowed, what was there. The caller adds where it was written.
 */
import type { TObject, TSchema } from '@sinclair/typebox';
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors';
import { Value } from '@sinclair/typebox/value';

export type KeyPath = readonly string[];

export interface Fault {
  readonly path: KeyPath;
  /** `http.port must be an integer from 0 to 65535, got "abc"`. */
  readonly sentence: string;
}

/** The value in an error message: JSON, cut to what fits in a sentence. */
function shown(value: unknown): string {
  const text = value === null || value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A key as it is; one that could break a sentence apart, as JSON. */
function keyName(key: string): string {
  return /^[\w-]+$/.test(key) ? key : shown(key);
}

function fault(error: ValueError): Fault {
  // A JSON pointer: "/exchanges/binance/channel", with ~1 and ~0 for "/" and "~" in a key.
  const path = error.path
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const name = path.map(keyName).join('.') || 'the file';
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const known = Object.keys((error.schema as TObject).properties).join(', ');
    return { path, sentence: `${name} is not a known key; allowed: ${known}` };
  }
  const allowed = String(error.schema.allowed);
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return { path, sentence: `${name} is missing; it must be ${allowed}` };
  }
  return { path, sentence: `${name} must be ${allowed}, got ${shown(error.value)}` };
}

/**
 * The first fault of `value`, or undefined. An unknown key goes before everything else: where a key
 * is misspelt, its right spelling is missing too, and the misspelling is what has to be mended.
 */
export function firstFault(schema: TSchema, value: unknown): Fault | undefined {
  const errors = [...Value.Errors(schema, value)];
  const unknown = errors.find((e) => e.type === ValueErrorType.ObjectAdditionalProperties);
  const first = unknown ?? errors[0];
  return first === undefined ? undefined : fault(first);
}
