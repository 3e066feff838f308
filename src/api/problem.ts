/**
 * An error a client gets: RFC 9457 `application/problem+json`, one sentence, nothing of the inside.
 */
import { STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export class Problem extends Error {
  readonly status: number;
  /** Sent along: `www-authenticate` of a 401, `retry-after` of a 503. */
  readonly headers: Readonly<Record<string, string>>;
  #text: string | undefined;

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    // Nobody reads where a client's mistake was noticed, and the stack costs more than the sentence.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(detail);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Problem';
    this.status = status;
    this.headers = headers;
  }

  get title(): string {
    return STATUS_CODES[this.status] ?? 'Error';
  }

  /** The document; made once, for those that are given again and again. */
  get text(): string {
    const { title, status, message: detail } = this;
    this.#text ??= JSON.stringify({ type: 'about:blank', title, status, detail });
    return this.#text;
  }
}

/** Sentences for what the HTTP layer itself refuses. */
const DETAILS: Readonly<Record<number, string>> = {
  400: 'The request is not valid HTTP.',
  408: 'The request took too long to arrive.',
  413: 'The request body is larger than allowed.',
  414: 'The request URL is longer than allowed.',
  415: 'The API takes request bodies of application/json only.',
  431: 'The request headers are larger than allowed.',
  500: 'The server failed to answer; its log says why.',
  503: 'The server is stopping.',
};

export function statusDetail(status: number): string {
  return DETAILS[status] ?? `The request was refused: ${STATUS_CODES[status] ?? status}.`;
}

/** The value a client sent, in a message: cut to a readable length. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 37)}...` : text);
}
