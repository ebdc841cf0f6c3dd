// shell · `npm run chaos`: breaks the cluster on purpose, under load, and judges what comes of it. The parts are in chaos/.
import { parseChaosCommand, SCRIPT_NAME } from './chaos/options.ts';
import { formatPlan } from './chaos/plan.ts';
import { plansOf, readCluster } from './chaos/plans.ts';
import { asUnknown } from './kit/failure.ts';
import { runScript } from './kit/script.ts';

const AFTER_INTERRUPTION = 'What was broken is healed by the next "npm run chaos" or "npm start".';

await runScript(SCRIPT_NAME, AFTER_INTERRUPTION, main, { mustCleanUp: true });

async function main(signal: AbortSignal): Promise<void> {
  const options = parseChaosCommand(process.argv.slice(2));
  if (options.isListed) {
    const { formatList } = await import('./chaos/words.ts');
    console.log(formatList());
    return;
  }
  const services = await readCluster(options, signal);
  const plans = await plansOf(options, services);
  if (options.isPlanOnly) {
    for (const plan of plans) process.stdout.write(formatPlan(plan));
    return;
  }
  // Loaded only now: what draws and what talks to Docker takes longer than everything above.
  const { runPlans } = await import('./chaos/run-plans.ts');
  await runPlans(plans, services, options, signal).catch((error: unknown) => {
    throw asUnknown(error);
  });
}
