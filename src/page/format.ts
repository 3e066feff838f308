/**
 * Figures as people read them. Prices and quantities arrive as exact decimal text and stay text: only
 * zeros at the end are cut. Numbers are made of them for positions on the chart alone.
 */

const INTEGER = new Intl.NumberFormat('en');

export function integer(value: number): string {
  return INTEGER.format(value);
}

/** Exact decimal text with thousands apart and between `decimalsMin` and all its decimals. */
export function decimal(text: string, decimalsMin = 0): string {
  const [whole = '', fraction = ''] = text.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  const kept = fraction.replace(/0+$/, '').padEnd(decimalsMin, '0');
  return kept === '' ? grouped : `${grouped}.${kept}`;
}

/** Decimals a text has without zeros at its end. */
export function decimalsOf(text: string): number {
  return text.split('.')[1]?.replace(/0+$/, '').length ?? 0;
}

/** A large exact decimal in few digits: 12.4 k, 3.07 M. For totals, where the first digits matter. */
export function short(text: string): string {
  const value = Number(text);
  for (const [unit, size] of [
    [' B', 1e9],
    [' M', 1e6],
    [' k', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)}${unit}`;
  }
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** 850 ms, 12 s, 4 min, 3 h. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** 14:05:09.123 out of an ISO time; UTC, as everything here. */
export function clockTime(iso: string, digits = 3): string {
  return iso.slice(11, digits === 0 ? 19 : 20 + digits).replace('Z', '');
}

/** 23 Nov 14:05 out of an ISO time; to the second when `end` is 19. */
export function dayTime(iso: string, end = 16): string {
  const at = new Date(iso);
  const day = at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
  return `${day} ${iso.slice(11, end)}`;
}

/** BINANCE as a person writes it. */
export function exchangeName(exchange: string): string {
  return exchange.charAt(0) + exchange.slice(1).toLowerCase();
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${integer(count)} ${count === 1 ? one : many}`;
}
