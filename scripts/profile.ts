// shell · `npm run profile`: says where the proxy spends its time under load. The parts are in profile/.
// Must never judge: it shows, and `npm run bench` compares.
import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepareNative } from './bench/native.ts';
import { buildFlame } from './bench/profile/flame.ts';
import { loadProxy } from './bench/profile/load.ts';
import { parseProfileCommand, SCRIPT_NAME } from './bench/profile/options.ts';
import { renderPage } from './bench/profile/page.ts';
import { profileProxy, SAMPLE_EVERY_US } from './bench/profile/record.ts';
import { describeLoad, figuresOf, formatTop } from './bench/profile/text.ts';
import { readMachine } from './bench/versions.ts';
import { runOneStep } from './kit/one-step.ts';
import { ROOT } from './kit/project.ts';
import { folderName, makeReportFolder, shortPath } from './kit/report-files.ts';
import { runScript } from './kit/script.ts';

await runScript(
  SCRIPT_NAME,
  'Nothing is reported.',
  async (signal) => {
    const options = parseProfileCommand(process.argv.slice(2));
    const load = describeLoad(options);
    const name = folderName(new Date(), `profile-${options.mode}`);
    const folder = await makeReportFolder(name, options.reportFolder);
    const { profile, made } = await runOneStep(
      signal,
      `Profile of the proxy (${load})`,
      async (progress) => {
        const programs = await prepareNative(progress);
        progress.phase(`sampling for ${options.seconds} s`);
        return await profileProxy((proxy) => loadProxy(proxy, programs, options, signal), signal);
      },
      (taken) => `${taken.profile.samples.length} samples`,
    ).catch(async (error) => {
      await rmdir(folder).catch(() => {});
      throw error;
    });
    const flame = buildFlame(profile, pathToFileURL(`${ROOT}/`).href);
    const figures = figuresOf(made.result, made.cpuUs, flame);
    const sampling = `sampled every ${SAMPLE_EVERY_US} µs for ${options.seconds} s`;
    const machine = Object.entries(await readMachine()).map(([what, which]) => `${what} ${which}`);
    const page = join(folder, 'flame.html');
    const title = `CPU profile of the proxy: ${load}`;
    await writeFile(join(folder, 'proxy.cpuprofile'), JSON.stringify(profile));
    await writeFile(page, renderPage(title, [...figures, sampling, ...machine], flame));
    console.log(`\n${formatTop(flame)}\n\n${load}: ${figures.join(', ')}`);
    console.log(`Report: ${shortPath(page)}`);
  },
  { mustCleanUp: true },
);
