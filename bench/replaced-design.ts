/**
 * The figures that the design which Bullion replaces published for itself, beside ours: throughput,
 * query latency, and the time from a trade to a queryable candle.
 */
export interface Comparison {
  readonly what: string;
  readonly theirs: string;
  readonly ours: string;
}

interface Claim {
  readonly what: string;
  readonly theirs: string;
  /** Name of the figure in RESULTS.md that answers it, and what to make of its value. */
  readonly figure: string;
  readonly ours: (value: number) => string;
}

const CLAIMS: readonly Claim[] = [
  {
    what: 'trades taken in',
    theirs: '10,000 an hour',
    figure: 'sustained, sockets to durable bronze and live candles',
    ours: (perSecond) =>
      `${Math.round((perSecond * 3_600) / 1e6).toLocaleString('en')} million an hour`,
  },
  {
    what: 'candle query, p99',
    theirs: '< 100 ms',
    figure: 'candle query over HTTP, p99',
    ours: (ms) => `${ms.toFixed(1)} ms`,
  },
  {
    what: 'trade to candle, end to end',
    theirs: '< 6 min',
    figure: 'frame to visible candle, p99',
    ours: (ms) => `${ms.toFixed(1)} ms (p99)`,
  },
];

/** The claims that some section's table of figures answers; of several answers the last. */
export function replacedDesign(sections: string): Comparison[] {
  return CLAIMS.flatMap(({ what, theirs, figure, ours }) => {
    const pattern = new RegExp(`^\\| ${figure}[^|]*\\| ([\\d,.]+)`, 'gm');
    const value = [...sections.matchAll(pattern)].at(-1)?.[1];
    if (value === undefined) return [];
    return [{ what, theirs, ours: ours(Number(value.replaceAll(',', ''))) }];
  });
}
