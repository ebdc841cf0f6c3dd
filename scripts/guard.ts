// shell · `npm run guard`: what a request costs the proxy, against bounds in the repository. The parts are in guard/.
// Must never call a measure good that was not made.

import { type Bounds, judge, type Measured, makeBounds } from '../test-support/cost/bounds.ts';
import { readBounds, writeBounds } from '../test-support/cost/bounds-file.ts';
import { measureAll } from '../test-support/cost/measure.ts';
import { parseGuardCommand, SCRIPT_NAME } from '../test-support/cost/options.ts';
import { adviceOn, explain, formatTable } from '../test-support/cost/report.ts';
import { prepareTracer } from '../test-support/cost/tracer.ts';
import { runOneStep } from './kit/one-step.ts';
import { runScript } from './kit/script.ts';

const RUNS_FOR_BOUNDS = 3;
const NODE = process.versions.node;

await runScript(SCRIPT_NAME, 'Nothing was found out.', async (signal) => {
  const { isWriting, isJson } = parseGuardCommand(process.argv.slice(2));
  const runs = await runOneStep(
    signal,
    'What a request costs the proxy',
    async (progress) => {
      const tracer = await prepareTracer(progress);
      progress.phase('measuring');
      const measured: Measured[] = [];
      while (measured.length < (isWriting ? RUNS_FOR_BOUNDS : 1))
        measured.push(await measureAll(tracer, signal));
      return measured;
    },
    () => 'measured',
    { isOnStderr: isJson },
  );
  let bounds = await readBounds();
  if (isWriting) {
    bounds = makeBounds(runs, bounds, NODE);
    await writeBounds(bounds);
  }
  report(runs[0] as Measured, bounds, isJson);
});

function report(measured: Measured, bounds: Bounds, isJson: boolean): void {
  const findings = judge(measured, bounds);
  const over = findings.filter(({ verdict }) => verdict === 'over');
  if (over.length > 0) process.exitCode = 1;
  if (isJson) {
    const verdict = over.length > 0 ? 'over' : 'within';
    console.log(JSON.stringify({ verdict, node: NODE, boundsFromNode: bounds.node, findings }));
    return;
  }
  console.log(`\n${formatTable(findings)}`);
  for (const finding of over) console.log(`\n${explain(finding, bounds, NODE)}`);
  const advice = adviceOn(findings);
  if (advice !== '') console.log(`\n${advice}`);
}
