/**
 * Commit and publish of an epoch, with the maintenance change that waits for one, if any.
 */
import type { Clock } from '#src/base/clock';
import type { UpkeepChange, UpkeepQueue } from '#src/maintenance/upkeep-queue';
import { type DataDirectory, publishEpoch } from '#src/supervision/data-directory';
import type { EpochShare, EpochSteps } from '#src/supervision/epochs';

export function commitSteps(
  data: DataDirectory,
  clock: Clock,
  queue?: UpkeepQueue,
): Pick<EpochSteps, 'commit' | 'publish'> {
  let upkeep: UpkeepChange | undefined;
  return {
    commit: async (share) => {
      upkeep = queue?.take((path) => data.store.liveFile(path) !== undefined);
      await commitShare(data, clock, share, upkeep);
      queue?.committed();
    },
    publish: async (epoch, files) => {
      await publishEpoch(data, epoch, files, upkeep);
      queue?.published();
    },
  };
}

/** Commits and publishes a maintenance change as an epoch of its own, where no pipeline runs. */
export async function commitUpkeep(
  data: DataDirectory,
  clock: Clock,
  upkeep: UpkeepChange,
): Promise<void> {
  const epoch = data.store.epoch().epoch + 1;
  const nothing = { progress: [], gold: [], bronze: [], instruments: [], files: [] };
  await commitShare(data, clock, { ...nothing, epoch, candles: new Uint8Array(0) }, upkeep);
  await publishEpoch(data, epoch, [], upkeep);
}

async function commitShare(
  { store, step }: DataDirectory,
  clock: Clock,
  share: EpochShare,
  upkeep: UpkeepChange | undefined,
): Promise<void> {
  const { added = [], retired = [], expired = [], candlesFromUs } = upkeep ?? {};
  await store.commitEpoch({
    ...share,
    committedUs: clock.nowUs(),
    files: [...share.files, ...added],
    retired,
    expired,
    ...(candlesFromUs !== undefined && { candlesFromUs }),
  });
  if (upkeep !== undefined) step('upkeep-committed', '');
}
