import { drawPlan } from '#tests/sim/plan';
import { World } from '#tests/sim/world';

process.on('unhandledRejection', (e) => console.error('UNHANDLED', e));
const [first = '1', count = '1', steps = '10000'] = process.argv.slice(2);
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const plan = drawPlan(seed, Number(steps));
  const started = performance.now();
  const world = new World(plan);
  try {
    await world.run();
    console.log(
      seed,
      plan.mode,
      'ok',
      Math.round(performance.now() - started),
      'ms',
      JSON.stringify(world.tally),
      world.digest,
    );
  } catch (error) {
    console.log(
      seed,
      plan.mode,
      'FAIL',
      Math.round(performance.now() - started),
      'ms',
      world.scheduler.steps,
      (error as Error).stack,
    );
    if (process.env.LINES) console.log(world.lines.slice(-Number(process.env.LINES)).join('\n'));
    world.abandon();
  }
}
