/**
 * Which symbols go on which connection, and which in which subscribe message: groups as even as can
 * be, so that no connection is left with one symbol and another at the exchange's limit.
 */
export function evenGroups<T>(items: readonly T[], sizeMax: number): T[][] {
  const count = Math.ceil(items.length / sizeMax);
  const groups: T[][] = [];
  for (let i = 0; i < count; i++) {
    const from = Math.floor((i * items.length) / count);
    const to = Math.floor(((i + 1) * items.length) / count);
    groups.push(items.slice(from, to));
  }
  return groups;
}
