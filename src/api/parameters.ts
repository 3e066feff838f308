/**
 * Parameters of a request, in the URL or in a JSON body. Each is one literal that says what is taken,
 * documents it (TypeBox, for the OpenAPI document) and has the words for what is not taken.
 *
 * Reading is strict: a parameter that is unknown, given twice or not understood is an error that
 * names it, never something to guess about.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { Problem, quoted } from '#src/api/problem';

export interface Parameter<T> {
  readonly schema: TSchema;
  /** True when the request may leave it out. */
  readonly optional: boolean;
  /** `value` is undefined when it was left out. */
  read(value: unknown, name: string): T;
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

export function bad(name: string, rest: string): Problem {
  return new Problem(400, `${name} ${rest}`);
}

/** The parameters as one TypeBox object, for `querystring` or `body`. */
export function schemaOf(parameters: Parameters): TSchema {
  const properties = Object.entries(parameters).map(
    ([name, { schema, optional }]) => [name, optional ? Type.Optional(schema) : schema] as const,
  );
  return Type.Object(Object.fromEntries(properties), { additionalProperties: false });
}

export function readParameters<P extends Parameters>(parameters: P, given: unknown): Values<P> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Problem(400, `A JSON object is needed, with ${Object.keys(parameters).join(', ')}.`);
  }
  const values = given as Record<string, unknown>;
  for (const name of Object.keys(values)) {
    if (Object.hasOwn(parameters, name)) continue;
    const allowed = Object.keys(parameters).join(', ');
    throw new Problem(400, `${quoted(name)} is not a parameter; allowed: ${allowed}`);
  }
  const read = Object.entries(parameters).map(([name, parameter]) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return [name, parameter.read(value, name)] as const;
  });
  return Object.fromEntries(read) as Values<P>;
}

/** One text; a URL that repeats a parameter gives a list. */
function oneText(value: unknown, name: string, allowed: string): string {
  if (Array.isArray(value)) throw bad(name, 'must be given once');
  if (typeof value !== 'string') throw bad(name, `must be ${allowed}, got ${quoted(value)}`);
  return value;
}

export function optional<T>(parameter: Parameter<T>): Parameter<T | undefined> {
  return {
    schema: parameter.schema,
    optional: true,
    read: (value, name) => (value === undefined ? undefined : parameter.read(value, name)),
  };
}

export function withDefault<T>(parameter: Parameter<T>, fallback: T): Parameter<T> {
  return {
    schema: { ...parameter.schema, default: fallback } as TSchema,
    optional: true,
    read: (value, name) => (value === undefined ? fallback : parameter.read(value, name)),
  };
}

function required(value: unknown, name: string, allowed: string): void {
  if (value === undefined) throw bad(name, `is missing; it must be ${allowed}`);
}

export function integer(min: number, max: number, description: string): Parameter<number> {
  const allowed = `an integer from ${min} to ${max}`;
  return {
    schema: Type.Integer({ minimum: min, maximum: max, description }),
    optional: false,
    read(value, name) {
      required(value, name, allowed);
      let number = value;
      if (typeof value !== 'number') {
        const text = oneText(value, name, allowed);
        number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      }
      const isGood = Number.isSafeInteger(number) && (number as number) >= min;
      if (isGood && (number as number) <= max) return number as number;
      throw bad(name, `must be ${allowed}, got ${quoted(value)}`);
    },
  };
}

export function oneOf<const T extends string>(
  names: readonly T[],
  description: string,
): Parameter<T> {
  const allowed = `one of ${names.join(', ')}`;
  return {
    schema: Type.Unsafe<T>({ type: 'string', enum: [...names], description }),
    optional: false,
    read(value, name) {
      required(value, name, allowed);
      const text = oneText(value, name, allowed);
      if ((names as readonly string[]).includes(text)) return text as T;
      throw bad(name, `must be ${allowed}, got ${quoted(text)}`);
    },
  };
}

/** A text that matches all of `pattern`; any text unless given, for names that are looked up. */
export function text(
  allowed: string,
  description: string,
  pattern: RegExp = /^[\s\S]*$/,
): Parameter<string> {
  return {
    schema: Type.String({ description }),
    optional: false,
    read(value, name) {
      required(value, name, allowed);
      const given = oneText(value, name, allowed);
      if (pattern.test(given)) return given;
      throw bad(name, `must be ${allowed}, got ${quoted(given)}`);
    },
  };
}

/**
 * Several values: a JSON list, or in a URL one text with commas. Each is read on its own; none may
 * come twice.
 */
export function listOf<T>(item: Parameter<T>, max: number, description: string): Parameter<T[]> {
  const allowed = `a list of 1 to ${max} values`;
  return {
    schema: Type.Array(item.schema, { minItems: 1, maxItems: max, uniqueItems: true, description }),
    optional: false,
    read(value, name) {
      required(value, name, allowed);
      const values = typeof value === 'string' ? value.split(',') : value;
      if (!Array.isArray(values) || values.length === 0 || values.length > max) {
        throw bad(name, `must be ${allowed}`);
      }
      const read = values.map((one) => item.read(one, name));
      if (new Set(read).size !== read.length) throw bad(name, 'must not name anything twice');
      return read;
    },
  };
}

/** A positive decimal as text, because a JSON number would be a float. x 10^8. */
export function decimal(description: string): Parameter<bigint> {
  const allowed = 'a positive decimal as text with at most 8 decimals, such as "0.5"';
  const pattern = /^\d{1,10}(\.\d{1,8})?$/;
  return {
    schema: Type.String({ pattern: pattern.source, description }),
    optional: false,
    read(value, name) {
      required(value, name, allowed);
      const isWhole = typeof value === 'number' && Number.isSafeInteger(value);
      const given = isWhole ? String(value) : oneText(value, name, allowed);
      const [whole = '', fraction = ''] = given.split('.');
      const scaled = pattern.test(given) ? BigInt(whole + fraction.padEnd(8, '0')) : 0n;
      if (scaled > 0n) return scaled;
      throw bad(name, `must be ${allowed}, got ${quoted(given)}`);
    },
  };
}

const UNIT_US = { s: 1e6, m: 60e6, h: 3_600e6, d: 86_400e6 } as const;

/** A length of time such as 90s, 5m, 4h or 1d; in microseconds. */
export function interval(daysMax: number, description: string): Parameter<number> {
  const allowed = `a length of time from 1s to ${daysMax}d, such as 90s, 5m, 4h or 1d`;
  const pattern = /^([1-9]\d{0,6})([smhd])$/;
  return {
    schema: Type.String({ pattern: pattern.source, description }),
    optional: false,
    read(value, name) {
      required(value, name, allowed);
      const given = oneText(value, name, allowed);
      const [, count, unit = 's'] = pattern.exec(given) ?? [];
      const us = Number(count) * UNIT_US[unit as keyof typeof UNIT_US];
      if (us <= daysMax * UNIT_US.d) return us;
      throw bad(name, `must be ${allowed}, got ${quoted(given)}`);
    },
  };
}

/** Years 1970 to 9999: what ISO 8601 writes with four digits. */
const TIME_MS_MAX = 253_402_300_799_999;

const ISO = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** Microseconds since the epoch of an ISO time, NaN for none; without an offset it is UTC. */
function isoUs(given: string): number {
  const [, day, clock, , fraction = '', offset] = ISO.exec(given) ?? [];
  if (day === undefined) return Number.NaN;
  // Date.parse takes 2025-02-30 for 2025-03-02: the day has to come out as it went in.
  const dayMs = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(dayMs) || !new Date(dayMs).toISOString().startsWith(day)) return Number.NaN;
  const whole = given.replace(fraction, '');
  const ms = Date.parse(clock === undefined || offset !== undefined ? whole : `${whole}Z`);
  return ms * 1000 + Number(fraction.slice(1).padEnd(6, '0'));
}

const TIME_ALLOWED = 'a time as ISO 8601 (2025-03-04T00:00:00Z) or in milliseconds since 1970';

/** Microseconds since the epoch; beyond the year 2255 they would pass 2^53, so any later time is that one. */
export function time(description: string): Parameter<number> {
  return {
    schema: Type.String({
      description: `${description} ISO 8601 in UTC, or milliseconds since 1970.`,
    }),
    optional: false,
    read(value, name) {
      required(value, name, TIME_ALLOWED);
      const given = typeof value === 'number' ? String(value) : oneText(value, name, TIME_ALLOWED);
      const us = /^\d{1,15}$/.test(given) ? Number(given) * 1000 : isoUs(given);
      if (us >= 0 && us < (TIME_MS_MAX + 1) * 1000) return Math.min(us, Number.MAX_SAFE_INTEGER);
      throw bad(name, `must be ${TIME_ALLOWED}, got ${quoted(given)}`);
    },
  };
}
