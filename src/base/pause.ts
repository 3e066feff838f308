/** Resolves after `ms` milliseconds. Whoever waits between attempts takes it as an argument. */
export type Pause = (ms: number) => Promise<void>;

export const pause: Pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
