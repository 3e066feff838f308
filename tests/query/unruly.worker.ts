/** A query worker that does what its query says: hangs, eats memory, throws, or answers. */
export default function run({ kind }: { readonly kind: string }): unknown {
  if (kind === 'hang') for (;;);
  if (kind === 'throw') throw new Error('a bug');
  if (kind === 'eat') {
    const eaten: number[][] = [];
    for (;;) eaten.push(Array.from({ length: 100_000 }, (_, i) => i));
  }
  return { kind: 'rows', body: new Uint8Array([1]), rows: 1 };
}
