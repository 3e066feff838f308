/**
 * Tables as a list of snapshots, in place of Iceberg's in most seeds: a commit to one table is atomic
 * and durable, an epoch touches one table after the other, and a crash comes between two of them.
 * Making Iceberg's files costs more than all the rest of a run; some seeds do.
 */
import type { LakeChange, Tables } from '#src/iceberg/publication';
import { TABLES } from '#src/iceberg/table-definition';
import type { StagedFile } from '#src/lake/staged-file';

interface Snapshot {
  readonly epoch: number;
  readonly files: ReadonlySet<string>;
}

export class SimTables {
  readonly #snapshots = new Map<string, Snapshot[]>();
  readonly #keep: number;

  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Files a table shows now. */
  shown(table: string): ReadonlySet<string> {
    return this.#snapshots.get(table)?.at(-1)?.files ?? new Set();
  }

  /** Every file some kept snapshot shows. */
  everShown(): Set<string> {
    const all = new Set<string>();
    for (const snapshots of this.#snapshots.values()) {
      for (const { files } of snapshots) for (const path of files) all.add(path);
    }
    return all;
  }

  /** As one process sees them; `step` is told before each commit, and may be its end. */
  over(step: () => Promise<void>): Tables {
    const commit = (table: string, snapshot: Snapshot): void => {
      const snapshots = this.#snapshots.get(table) ?? [];
      this.#snapshots.set(table, [...snapshots, snapshot].slice(-this.#keep));
    };
    return {
      publish: async ({ epoch, added, removed, upkeep }: LakeChange) => {
        const files = [...added, ...(upkeep?.added ?? [])];
        const gone = [...removed, ...(upkeep?.removed ?? [])];
        const tables = new Set([...files, ...gone].map(({ table }) => table));
        for (const table of tables) {
          await step();
          if ((this.#snapshots.get(table)?.at(-1)?.epoch ?? 0) >= epoch) continue;
          const shown = new Set(this.shown(table));
          for (const file of gone) if (file.table === table) shown.delete(file.path);
          for (const file of files) if (file.table === table) shown.add(file.path);
          commit(table, { epoch, files: shown });
        }
      },
      reconcile: async ({ epoch }, liveFiles: (table: string) => Iterable<StagedFile>) => {
        for (const table of TABLES.keys()) {
          const wanted = new Set(Array.from(liveFiles(table), ({ path }) => path));
          const shown = this.shown(table);
          if (wanted.size === shown.size && [...wanted].every((path) => shown.has(path))) continue;
          await step();
          commit(table, { epoch, files: wanted });
        }
      },
      shownEpochs: async () => (table) =>
        (this.#snapshots.get(table) ?? []).map(({ epoch }) => epoch),
    };
  }
}
