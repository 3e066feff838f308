/**
 * An error a client gets: RFC 9457 `application/problem+json`, one sentence, nothing of the inside.
 */
import { STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export class Problem extends Error {
  readonly status: number;
  /** Sent along: `www-authenticate` of a 401, `retry-after` of a 503. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.headers = headers;
  }
}

export interface ProblemBody {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
}

export function problemBody(status: number, detail: string): ProblemBody {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail };
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
