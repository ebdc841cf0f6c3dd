// shell · the secret that the cluster's servers prove to know: made once, kept beside the project, mounted by Compose.
// Must never overwrite one: whatever runs has the old one still.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, readSetting, writeSettings } from './project.ts';

const FOLDER = '.secrets';
const FILE = `./${FOLDER}/register-token`;
const TOKEN_BYTES = 32;

/**
 * Makes the token unless it is there, and writes into .env where it is. Where somebody has set another place, that one
 * is taken; set to nothing, there is no token, and whoever reaches the port may register.
 */
export async function prepareRegisterToken(): Promise<void> {
  if (process.env.REGISTER_TOKEN_FILE === '') return;
  const file = readSetting('REGISTER_TOKEN_FILE') ?? FILE;
  if (file !== FILE) return;
  // The roles in the containers are not root and have to read it: the folder keeps everybody else on this machine away.
  await mkdir(join(ROOT, FOLDER), { recursive: true, mode: 0o700 });
  const token = `${randomBytes(TOKEN_BYTES).toString('hex')}\n`;
  await writeFile(join(ROOT, FILE), token, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await chmod(join(ROOT, FILE), 0o444);
  await writeSettings({ REGISTER_TOKEN_FILE: FILE });
}
