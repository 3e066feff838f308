/** Waiting for the first processing group that comes up: one that fails while it starts is restarted. */
import type { ProcessingGroup } from '#src/supervision/processing-group';

export interface GroupStart {
  /** The generation that starts or runs now. */
  readonly group: () => ProcessingGroup;
  /** Resolves when the restart under way is over. */
  readonly restarted: () => Promise<void>;
  readonly isStopping: () => boolean;
}

/** Resolves when a generation is up, or when a stop came first; rejects when there is no other one. */
export async function groupUp({ group, restarted, isStopping }: GroupStart): Promise<void> {
  for (;;) {
    const starting = group();
    try {
      await starting.ready();
      return;
    } catch (error) {
      if (isStopping()) return;
      await restarted();
      if (group() === starting) throw error; // given up
    }
  }
}
