/** REST as the simulator sees it: a request's path and query in, a status and a JSON body out. */
import type { VenueState } from '#src/simulator/peer';

export interface RestRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface RestAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export type RestHandler = (request: RestRequest, venue: VenueState) => RestAnswer;

/** A whole number of the query within [low, high]; `otherwise` when absent, undefined when bad. */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  otherwise: number,
  low: number,
  high: number,
): number | undefined {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  return /^\d+$/.test(text) && value >= low && value <= high ? value : undefined;
}
