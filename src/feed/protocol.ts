/**
 * What a feed has to know of an exchange: one implementation per WebSocket API, all of it pure.
 *
 * Trade frames are told from everything else by their first bytes and are not parsed here. The rest
 * (acknowledgements, heartbeats, errors) is rare, so it may be parsed as JSON; `readControl` gets
 * the parsed value and says what it means for the session.
 */
import type { Exchange } from '#schemas/exchange';
import type { AttemptLimit } from './attempt-budget.js';
import type { ConnectionAge } from './rotation.js';
import type { TradeKeys } from './trade-id-scanner.js';

export type Control =
  /** Subscriptions confirmed: those of message `id`, or the wire symbols listed. */
  | { readonly kind: 'ack'; readonly id: number }
  | { readonly kind: 'ack'; readonly symbols: readonly string[] }
  /** A subscribe message, or some symbols, or something unnamed was refused. */
  | {
      readonly kind: 'reject';
      readonly id?: number;
      readonly symbols?: readonly string[];
      readonly text: string;
    }
  /** The exchange's own claim of how far an instrument has come. */
  | { readonly kind: 'progress'; readonly symbol: string; readonly tradeId: number }
  /** Worth telling a person: maintenance, a warning. */
  | { readonly kind: 'notice'; readonly text: string }
  /** This connection is about to be cut: open another one now. */
  | { readonly kind: 'shutdown' }
  /** Heartbeats, pongs, other channels. */
  | { readonly kind: 'other' };

export const OTHER: Control = { kind: 'other' };

export interface FeedProtocol {
  readonly exchange: Exchange;
  readonly url: string;
  /** The exchange's spelling on this API, as trade frames carry it. */
  wireSymbol(nativeSymbol: string): string;
  readonly tradeKeys: TradeKeys;

  readonly streamsPerConnectionMax: number;
  readonly symbolsPerMessageMax: number;
  /** Pause between two messages of ours. */
  readonly sendIntervalMs: number;
  /** Sent once, as soon as the connection is open. */
  readonly greeting: readonly string[];
  /** One subscribe message; `id` is echoed by the exchanges that echo ids. */
  subscribe(symbols: readonly string[], id: number): string;

  /** Whether a frame carries trades, from its first bytes. */
  isTrade(frame: Uint8Array): boolean;
  readControl(message: unknown): Control;

  /** An application-level ping, where the exchange has one. */
  readonly ping?: { readonly text: string; readonly intervalMs: number };
  /** Longest time without any message or ping on a healthy connection. */
  readonly silenceMs: number;
  /** Planned replacement, where the exchange cuts connections by age. */
  readonly age?: ConnectionAge;
  readonly attempts: AttemptLimit;
}

/** Whether `frame` has `prefix` at `at`. */
export function hasBytes(frame: Uint8Array, prefix: Uint8Array, at: number): boolean {
  if (frame.length < at + prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (frame[at + i] !== prefix[i]) return false;
  return true;
}

/** The value as a record, or an empty one: control messages are read key by key, trusting nothing. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function strings(value: unknown): readonly string[] {
  return list(value).filter((item) => typeof item === 'string');
}

export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}
