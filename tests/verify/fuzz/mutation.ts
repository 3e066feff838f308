/**
 * Structure-aware changes of inputs: bytes flipped, cut and spliced, and for texts made of keys and
 * values also members doubled, dropped, swapped, nested, and given values that stand where others
 * are expected. Texts are latin1: a character is a byte.
 */
import type { Random } from '#src/base/random';

/** Values that parsers have been seen to stumble over. */
const STRANGE = [
  ...['null', 'true', 'false', '0', '-1', '1e400', '1e-8', '-0', '0.0', '01', '1.', '.5', '""'],
  ...['"0"', '"x"', '{}', '[]', '[1]', '{"p":1}', '9007199254740991', '9007199254740992', '1e309'],
  ...['9999999999.99999999', '10000000000', '"0.000000001"', '"1.10000000000"', '1e1e1', 'nul'],
  ...['"\\u0031"', '"\\ud800"', '"b\\/c"', '"\u00e9"', '"\xc3\xa9"', '"\xff"', '1234567890123'],
  ...['1234567890123456', '"sell"', '"buy"', '"SELL"', '"2026-02-30T00:00:00.000000Z"', '-', '+1'],
  ...['"2026-07-07T22:58:16Z"', '"2026-07-07T22:58:16.1234567Z"', 'NaN', 'Infinity', '"__proto__"'],
  ...['"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:60Z"', '0x10', '1_000', '\u0000', '"\\"'],
];
const BYTES = '{}[]",:\\ \n\r\t0123456789.-+eEtTfnuxZ\u0000/#&*!|>%@`\'';

const MEMBER = /"[^"\n]*"\s*:\s*(?:"[^"\n]*"|[-\d.eE+]+|true|false|null)/g;
const VALUE = /(?<=[:,[=&]\s*)(?:"[^"\n]*"|[-\d.eE+]+|true|false|null|[A-Za-z_][\w:.-]*)/g;

interface Place {
  readonly from: number;
  readonly to: number;
}

function placeOf(text: string, pattern: RegExp, random: Random): Place {
  const all = [...text.matchAll(pattern)];
  if (all.length === 0) return { from: 0, to: 0 };
  const match = random.pick(all);
  return { from: match.index, to: match.index + match[0].length };
}

/** One change; `other` is a text to splice from. */
export function changedText(text: string, other: string, random: Random): string {
  const at = random.below(text.length + 1);
  const byte = random.chance(0.3)
    ? String.fromCharCode(random.below(256))
    : BYTES.charAt(random.below(BYTES.length));
  switch (random.below(13)) {
    case 0:
      return text.slice(0, at) + byte + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + byte + text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(at + 1 + random.below(4));
    case 3: {
      const { from } = placeOf(text, MEMBER, random);
      return text.slice(0, from) + ' \t\n\r'[random.below(4)] + text.slice(from);
    }
    case 4: {
      const { from, to } = placeOf(text, MEMBER, random);
      return `${text.slice(0, to)},${text.slice(from)}`;
    }
    case 5: {
      const a = placeOf(text, MEMBER, random);
      const b = placeOf(text, MEMBER, random);
      const [first, second] = a.from < b.from ? [a, b] : [b, a];
      if (first.to > second.from) return text;
      const part = (p: Place): string => text.slice(p.from, p.to);
      const between = text.slice(first.to, second.from);
      return (
        text.slice(0, first.from) + part(second) + between + part(first) + text.slice(second.to)
      );
    }
    case 6:
    case 7: {
      const { from, to } = placeOf(text, VALUE, random);
      return text.slice(0, from) + random.pick(STRANGE) + text.slice(to);
    }
    case 8: {
      const { from, to } = placeOf(text, VALUE, random);
      const digit = String(random.below(10));
      return (
        text.slice(0, to - 1) +
        digit.repeat(random.pick([1, 1, 2, 9, 400])) +
        text.slice(to - 1, from < to ? undefined : to)
      );
    }
    case 9:
      return text.slice(0, at);
    case 10: {
      const from = random.below(other.length + 1);
      return text.slice(0, at) + other.slice(from, from + random.below(80)) + text.slice(at);
    }
    case 11: {
      const { from, to } = placeOf(text, VALUE, random);
      const depth = random.pick([1, 2, 31, 32, 33, 2_000]);
      return `${text.slice(0, from)}${'['.repeat(depth)}${text.slice(from, to)}${']'.repeat(depth)}${text.slice(to)}`;
    }
    default: {
      const { from, to } = placeOf(text, MEMBER, random);
      return text.slice(0, from) + text.slice(to + (text[to] === ',' ? 1 : 0));
    }
  }
}

/** None to four changes of one of the texts. */
export function mutatedText(corpus: readonly string[], random: Random): string {
  let text = random.pick(corpus);
  const changes = random.pick([0, 1, 1, 1, 2, 2, 3, 4]);
  for (let i = 0; i < changes; i++) text = changedText(text, random.pick(corpus), random);
  return text;
}

/** Flips, zeroes, cuts, doubles or swaps pieces of binary data; changes `bytes` or answers others. */
export function mutatedBytes(original: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(original);
  const at = random.below(bytes.length);
  switch (random.below(7)) {
    case 0:
    case 1:
      for (let flips = random.between(1, 8); flips > 0; flips--) {
        const place = random.below(bytes.length);
        bytes[place] = (bytes[place] as number) ^ (1 << random.below(8));
      }
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      bytes.fill(0, at, Math.min(bytes.length, at + random.pick([1, 8, 64, 4096])));
      return bytes;
    case 4: {
      const length = random.pick([4, 64, 512]);
      const other = random.below(bytes.length);
      const piece = Buffer.from(bytes.subarray(at, at + length));
      bytes.copy(bytes, at, other, Math.min(bytes.length, other + length));
      piece.copy(bytes, other);
      return bytes;
    }
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(at + 1))]);
    default:
      bytes.writeUInt32LE(
        random.pick([0, 1, 0xffff_ffff, 0x7fff_ffff, 65_536]),
        Math.min(at, bytes.length - 4),
      );
      return bytes;
  }
}
