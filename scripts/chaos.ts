// shell · `npm run chaos`: breaks the cluster on purpose, under load, and judges what comes of it. The parts are in chaos/.
import { UsageError } from '../services/shared/config.ts';
import { parseChaosCommand, SCRIPT_NAME } from './chaos/options.ts';
import { formatPlan } from './chaos/plan.ts';
import { plansOf, readCluster } from './chaos/plans.ts';
import { Failure } from './kit/failure.ts';
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
  await runPlans(plans, services, options, signal).catch(saysNothingOfTheProxy);
}

// 1 would mean that the proxy failed; a run that could not be made shows nothing about it.
function saysNothingOfTheProxy(error: unknown): never {
  if (error instanceof UsageError) throw error;
  if (!(error instanceof Failure)) {
    const { message, stack = '' } = error as Error;
    throw new Failure(message, 'Nothing was found out about the proxy.', { tail: stack, exitCode: 3 });
  }
  if (error.exitCode !== 1) throw error;
  throw new Failure(error.message, error.next, { tail: error.tail, exitCode: 3, cause: error });
}
