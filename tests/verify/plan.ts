/**
 * What `npm run verify` runs, how much of it, and where. Two cores cannot do all of it in a quarter of
 * an hour: what starts processes is timed, each check with its share, so that none takes the others'.
 */
export interface PlannedCheck {
  /** Tells its seed from the others'. */
  readonly number: number;
  readonly title: string;
  /** In dist/tests/. */
  readonly program: string;
  readonly args: readonly string[];
  /** How it takes its seed. */
  readonly seedOption: '--seed' | '--first-seed';
  /** In one of the two lanes, beside them from the start, or alone when they are empty. */
  readonly lane: 'queue' | 'beside' | 'alone';
  /** Told how many seconds are left: it stops drawing more by then, and says what is missing. */
  readonly isTimed?: true;
  /** Of a timed check: not more, whatever is left. */
  readonly secondsShare?: number;
  /** A check that takes longer is ended: a finding. */
  readonly secondsMax: number;
}

export interface Extent {
  /** `--hours`: all planted bugs. */
  readonly isLong: boolean;
  readonly isQuick: boolean;
}

const SIMULATOR_SEEDS = 2_000;
/** In the short run a check that takes longer hangs: twice what a slow machine needs. */
const SECONDS_MAX = 1_500;
const SECONDS_MAX_LONG = 14_400;
/**
 * Ten thousand steps take about a second of a core: in a quarter of an hour fewer steps, not seeds.
 * With what healing takes, some 1,800 a seed.
 */
const SIMULATOR_STEPS = 500;
const SIMULATOR_STEPS_LONG = 10_000;

export function planOf({ isLong, isQuick }: Extent): PlannedCheck[] {
  let number = 0;
  const some = (whole: number, quick: number): string => String(isQuick ? quick : whole);
  const check = (
    title: string,
    program: string,
    args: readonly string[],
    more: Partial<PlannedCheck> = {},
  ): PlannedCheck => ({
    number: number++,
    title,
    program: `verify/${program}/main.js`,
    args,
    seedOption: '--seed',
    lane: 'queue',
    secondsMax: isLong ? SECONDS_MAX_LONG : SECONDS_MAX,
    ...more,
  });
  const seconds = some(600, 20);
  const timed = (secondsShare?: number): Partial<PlannedCheck> =>
    isLong ? {} : { isTimed: true, ...(secondsShare !== undefined && { secondsShare }) };
  const crashes = (family: string, quick: number): string[] => [
    ...['--only', family],
    ...(isQuick ? ['--count', String(quick)] : []),
  ];
  return [
    check('soak', 'soak', ['--seconds', seconds], { lane: 'beside' }),
    ...['exchanges', 'the rest'].map((part) =>
      check(`fuzzing, ${part}`, 'fuzz', ['--only', part, '--count', some(200_000, 1_000)]),
    ),
    check('planted bugs', 'planted', ['--count', isLong ? '0' : some(5, 1)]),
    ...['first', 'second'].map((half) =>
      check(
        `simulator, ${half} half`,
        'simulator',
        [
          ...['--seeds', some(SIMULATOR_SEEDS / 2, 10)],
          ...['--steps', String(isLong ? SIMULATOR_STEPS_LONG : SIMULATOR_STEPS)],
          ...['--workers', '1'],
        ],
        { program: 'sim/main.js', seedOption: '--first-seed' },
      ),
    ),
    check('corruption', 'corruption', ['--count', some(1_000, 24)], timed(400)),
    ...['first', 'second'].map((half) =>
      check(
        `random kill -9, ${half} half`,
        'crash',
        ['--only', 'kills', '--count', some(100, 4)],
        timed(),
      ),
    ),
    // In three parts, so that no lane is still at the first when the others are through with theirs.
    ...['1/3', '2/3', '3/3'].map((part) =>
      check(`crashes at failpoints, ${part}`, 'crash', crashes(`failpoints ${part}`, 6), timed()),
    ),
    // What is left is theirs.
    check('faults in actors, signals, clocks', 'crash', crashes('process', 6), timed()),
    check('crashes at disk calls', 'crash', crashes('disk', 4), timed()),
    check('ends and errors at failpoints', 'crash', crashes('errors', 4), timed()),
    check('recovery', 'recovery', isQuick ? ['--count', '30000'] : [], { lane: 'alone' }),
  ];
}
