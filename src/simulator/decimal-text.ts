/**
 * Exact decimal text of whole units, for everything that is not a hot loop: REST bodies, candles,
 * the journal. BigInt, so that sums and products of any size stay exact.
 */
export function decimalText(units: number | bigint, decimals: number, shown = decimals): string {
  const value = BigInt(units);
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits
    .slice(digits.length - decimals)
    .padEnd(shown, '0')
    .slice(0, shown);
  return `${value < 0n ? '-' : ''}${whole}${shown === 0 ? '' : `.${fraction}`}`;
}

/** The same without trailing zeros: `0.2`, `63514.6`, `1775`. */
export function shortDecimalText(units: number | bigint, decimals: number): string {
  const text = decimalText(units, decimals);
  return decimals === 0 ? text : text.replace(/\.?0+$/, '');
}

/** `2026-07-07T23:00:04.585581Z`. */
export function timeText(timeUs: number): string {
  const second = Math.floor(timeUs / 1e6);
  const micros = String(timeUs - second * 1e6).padStart(6, '0');
  return `${new Date(second * 1000).toISOString().slice(0, 19)}.${micros}Z`;
}
