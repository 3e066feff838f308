/**
 * Which actor runs on which core: pure, from the shape of the pipeline and the cores there are.
 *
 * On six cores: supervisor + gateway | ingest | validation 0 | validation 1 | gold | candles + lake.
 * On fewer the six rows fold onto the cores there are, in order, and the layout says so.
 */
export interface LayoutShape {
  readonly exchanges: readonly string[];
  readonly validationShards: number;
  readonly goldShards: number;
}

export interface Layout {
  /** Cores by actor id: supervisor, gateway, ingest-binance, validation-0, gold-0, candles, lake. */
  readonly coresOf: ReadonlyMap<string, readonly number[]>;
  readonly cores: readonly number[];
  /** True when there are fewer cores than rows. */
  readonly folded: boolean;
}

export function planLayout(shape: LayoutShape, cores: readonly number[]): Layout {
  const { exchanges, validationShards, goldShards } = shape;
  const rows: string[][] = [
    ['supervisor', 'gateway'],
    exchanges.map((exchange) => `ingest-${exchange}`),
    ...Array.from({ length: validationShards }, (_, shard) => [`validation-${shard}`]),
    ...Array.from({ length: goldShards }, (_, shard) => [`gold-${shard}`]),
    ['candles', 'lake'],
  ];
  const coresOf = new Map<string, readonly number[]>();
  for (const [row, actors] of rows.entries()) {
    const core = cores[row % cores.length] as number;
    // Encoding is bursty and off the hot path: it may use whatever core is idle.
    for (const actor of actors) coresOf.set(actor, actor === 'lake' ? cores : [core]);
  }
  return { coresOf, cores, folded: cores.length < rows.length };
}

/** The layout as text, one line per core. */
export function printLayout(layout: Layout): string {
  const lines = layout.cores.map((core) => {
    const actors = [...layout.coresOf]
      .filter(([, cores]) => cores.includes(core))
      .map(([actor]) => actor);
    return `core ${core}: ${actors.join(', ')}`;
  });
  if (layout.folded) {
    lines.push(`folded onto ${layout.cores.length} cores; the design spreads over six`);
  }
  return `${lines.join('\n')}\n`;
}
