// Runs a scripted worker of the installed package's test kit, as an ES module.
import * as kit from 'procvision-runner/testing';
import crashAndAnswer from './crash-and-answer.cjs';

process.stdout.write(JSON.stringify(await crashAndAnswer(kit)));
