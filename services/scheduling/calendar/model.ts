/** A calendar as the documents show it. */
export const calendarText = {
  type: 'text/calendar',
  example: [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Health&Med//scheduling//EN',
    'NAME:Health&Med',
    'X-WR-CALNAME:Health&Med',
    'METHOD:PUBLISH',
    'BEGIN:VEVENT',
    'UID:019b1a2c-0f3e-7b58-a1c6-94d2e7b30c35@healthmed',
    'SEQUENCE:1',
    'DTSTAMP:20270104T121500Z',
    'DTSTART:20270105T110000Z',
    'DTEND:20270105T113000Z',
    'SUMMARY:Health&Med: Beatriz Nogueira',
    'ORGANIZER;CN="Health&Med":mailto:no-reply@clinic.example',
    'STATUS:CONFIRMED',
    'END:VEVENT',
    'END:VCALENDAR',
    ''
  ].join('\r\n')
}
