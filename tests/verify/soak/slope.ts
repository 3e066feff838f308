/** A straight line through points, and how sure its slope is. */
export interface Fit {
  /** 95 % bounds of the slope. */
  readonly lowerPerSecond: number;
  readonly upperPerSecond: number;
}

/**
 * Least squares over the means of ten stretches: neighbouring samples of a process's memory are
 * alike, and taking each for new evidence would make any drift look certain.
 */
export function fitted(points: readonly (readonly [second: number, value: number])[]): Fit {
  const stretches = 10;
  const means: [number, number][] = [];
  for (let i = 0; i < stretches; i++) {
    const from = Math.floor((i * points.length) / stretches);
    const part = points.slice(from, Math.floor(((i + 1) * points.length) / stretches));
    if (part.length === 0) continue;
    const mean = (at: 0 | 1): number => part.reduce((sum, p) => sum + p[at], 0) / part.length;
    means.push([mean(0), mean(1)]);
  }
  const n = means.length;
  if (n < 3)
    return { lowerPerSecond: Number.NEGATIVE_INFINITY, upperPerSecond: Number.POSITIVE_INFINITY };
  const x = means.reduce((sum, [at]) => sum + at, 0) / n;
  const y = means.reduce((sum, [, value]) => sum + value, 0) / n;
  const sxx = means.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const slope = means.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / sxx;
  const rest = means.reduce((sum, [at, value]) => sum + (value - y - slope * (at - x)) ** 2, 0);
  /** Student's t for 8 degrees of freedom; a little much for fewer stretches is not the matter. */
  const margin = 2.31 * Math.sqrt(rest / (n - 2) / sxx);
  return { lowerPerSecond: slope - margin, upperPerSecond: slope + margin };
}
