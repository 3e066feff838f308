/**
 * The named points a commit passes, in order. Whoever tests crashes is told of each by a `StepHook`
 * and may end the process there; the process itself passes a hook that does nothing.
 */
export const COMMIT_STEPS = [
  /** Nothing is written yet. */
  'before-manifest',
  /** All new manifests are written and synced; no snapshot names them. */
  'after-manifest',
  /** The list is written and synced; no metadata names it. */
  'after-manifest-list',
  /** The new metadata is there under a temporary name; of a bucket: it is about to be sent. */
  'after-metadata-tmp',
  /** The commit point: the new metadata has its name; the directory may not be synced. */
  'after-metadata-link',
  /** The commit is durable (in a bucket it is so at once); the hint still names the version before. */
  'after-metadata-sync',
  'after-version-hint',
  /** Metadata, lists and manifests that no version names any more are gone. */
  'after-expired-files',
] as const;

export type CommitStep = (typeof COMMIT_STEPS)[number];

export type StepHook = (step: CommitStep, table: string) => void;

export const NO_STEPS = (): void => {};
