/**
 * Which of a connection's symbols are subscribed, refused or still unanswered. Pure bookkeeping.
 *
 * A refusal names one symbol, or a whole message, or nothing at all. A refused message of several
 * symbols is halved and asked again until the bad symbols stand alone: n symbols with b bad ones
 * cost about 2 b log2(n) messages, and the good ones are never lost because of them.
 */
import type { Control } from './protocol.js';

export interface Rejection {
  readonly symbol: string;
  readonly text: string;
}

export class SubscriptionTracker {
  readonly #pending: Set<string>;
  readonly #asked = new Map<number, readonly string[]>();
  #acknowledged = 0;
  #answers = 0;

  constructor(symbols: readonly string[]) {
    this.#pending = new Set(symbols);
  }

  get pending(): readonly string[] {
    return [...this.#pending];
  }

  /** Symbols confirmed so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Acknowledgements and refusals so far: 0 means that nobody is answering. */
  get answers(): number {
    return this.#answers;
  }

  asked(id: number, symbols: readonly string[]): void {
    this.#asked.set(id, symbols);
  }

  acknowledge(control: Control & { kind: 'ack' }): void {
    this.#answers++;
    const symbols = 'symbols' in control ? control.symbols : (this.#asked.get(control.id) ?? []);
    for (const symbol of symbols) if (this.#pending.delete(symbol)) this.#acknowledged++;
  }

  /** Takes a refusal in: the symbols it settles, and the groups to ask again. */
  reject(control: Control & { kind: 'reject' }): {
    readonly rejected: readonly Rejection[];
    readonly again: readonly (readonly string[])[];
  } {
    this.#answers++;
    const { text } = control;
    const asked = control.id === undefined ? undefined : this.#asked.get(control.id);
    const open = (asked ?? this.pending).filter((symbol) => this.#pending.has(symbol));
    const words = new Set(text.split(/[^A-Za-z0-9/_-]+/));
    const named = (control.symbols ?? open.filter((symbol) => words.has(symbol))).filter((symbol) =>
      this.#pending.has(symbol),
    );
    const bad = named.length > 0 ? named : asked !== undefined && open.length === 1 ? open : [];
    for (const symbol of bad) this.#pending.delete(symbol);
    const rest = asked === undefined ? [] : open.filter((symbol) => this.#pending.has(symbol));
    const half = Math.ceil(rest.length / 2);
    const again = [rest.slice(0, half), rest.slice(half)].filter((group) => group.length > 0);
    // Kraken answers symbol by symbol: naming one says nothing against the others of its message.
    return {
      rejected: bad.map((symbol) => ({ symbol, text })),
      again: named.length > 0 ? [] : again,
    };
  }
}
