/** The one call of MJML 5 that is made here; it comes without types. */
declare module 'mjml' {
  type Result = { html: string; errors: { formattedMessage: string }[] }
  const compile: (
    mjml: string,
    options: { validationLevel: 'strict'; keepComments: boolean; fonts: Record<string, string> }
  ) => Promise<Result>
  export default compile
}
