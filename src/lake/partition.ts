/** Partition folders: UTC calendar days, months and hours of microsecond times, as text. */
import { assert } from '#src/base/errors';

export const HOUR_US = 3_600_000_000;
export const DAY_US = 24 * HOUR_US;

/** `2026-11-23` of a day number (days since the epoch). */
export function dayText(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}

export function dayOf(timeUs: number): number {
  return Math.floor(timeUs / DAY_US);
}

/** `hour`: hours since the epoch. */
export function hourPartition(hour: number): string {
  const hourText = String(hour - 24 * Math.floor(hour / 24)).padStart(2, '0');
  return `exchange_date=${dayText(Math.floor(hour / 24))}/exchange_hour=${hourText}`;
}

export function dayPartition(column: string, day: number): string {
  return `${column}=${dayText(day)}`;
}

export function monthPartition(column: string, day: number): string {
  return `${column}=${dayText(day).slice(0, 7)}`;
}

const PARTITION = /^\w+=(\d{4})-(\d{2})(?:-(\d{2}))?(?:\/\w+=(\d{2}))?$/;

/** The times a partition folder can hold: [startUs, endUs) of its month, day or hour. */
export function partitionSpan(partition: string): { startUs: number; endUs: number } {
  const [match, year, month, day, hour] = PARTITION.exec(partition) ?? [];
  assert(match !== undefined, `'${partition}' is not a partition folder`);
  const at = (months: number, days: number, hours: number): number =>
    Date.UTC(
      Number(year),
      Number(month) - 1 + months,
      Number(day ?? 1) + days,
      Number(hour ?? 0) + hours,
    ) * 1000;
  const endUs = hour !== undefined ? at(0, 0, 1) : day !== undefined ? at(0, 1, 0) : at(1, 0, 0);
  return { startUs: at(0, 0, 0), endUs };
}
