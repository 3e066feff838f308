/**
 * Since when files are known that nothing names. A file's own times are not asked: a stage that is
 * at work names its file only at the next epoch, and clocks of file systems differ.
 */
export class OrphanSightings {
  #firstSeenUs = new Map<string, number>();

  /** Takes note of what a sweep found; answers the files seen for at least `ageUs`. */
  see(paths: readonly string[], nowUs: number, ageUs: number): string[] {
    const seen = new Map(paths.map((path) => [path, this.#firstSeenUs.get(path) ?? nowUs]));
    this.#firstSeenUs = seen;
    return paths.filter((path) => nowUs - (seen.get(path) as number) >= ageUs);
  }
}
