import { join } from 'node:path'
import mjml from 'mjml'

const source = join(import.meta.dir, 'layout.mjml')
/** The compiled layout that the service loads. */
export const compiledPath = join(import.meta.dir, 'layout.html')

/** Compiles layout.mjml. Throws where MJML finds anything wrong with it. */
export async function compileLayout(): Promise<string> {
  const { html, errors } = await mjml(await Bun.file(source).text(), { validationLevel: 'strict', keepComments: true, fonts: {} })
  if (errors.length > 0) throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join('\n'))
  // no web fonts and nothing else from outside: a mail that loads something tells when it is read
  if (/<link|@import|<img/.test(html)) throw new Error('the layout loads something from outside')
  // its indentation would be a third of every mail
  return `${html.replace(/^\s+/gm, '').trim()}\n`
}

if (import.meta.main) {
  await Bun.write(compiledPath, await compileLayout())
  console.log(`compiled to ${compiledPath}`)
}
