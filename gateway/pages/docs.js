/* global SwaggerUIBundle, SwaggerUIStandalonePreset */
const { documents, first } = JSON.parse(document.querySelector('#swagger-ui').dataset.settings)

SwaggerUIBundle({
  urls: documents,
  'urls.primaryName': first,
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  // the badge would ask a validator elsewhere
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: 'StandaloneLayout'
})
