/** What a fuzz run does to one parser: makes an input from a generator, reads it, and judges. */
import type { Random } from '#src/base/random';

export interface FuzzTarget {
  readonly name: string;
  /**
   * One input. Throws when the parser does what it may not; answers what it made of it, in a word,
   * so that a run in which nothing is ever accepted (or refused) shows.
   */
  run(random: Random): string | Promise<string>;
}

/** The same input made again and shown as text, for the finding. */
export class FuzzFailure extends Error {
  constructor(what: string, input: string | Uint8Array) {
    const text = typeof input === 'string' ? input : Buffer.from(input).toString('latin1');
    super(`${what}; input ${JSON.stringify(text.slice(0, 600))}`);
  }
}
