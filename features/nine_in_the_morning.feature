Feature: Nine in the morning, where she lives
  A greeting belongs to the morning of the day. It is sent when the clocks of the place where a person lives
  show nine, and these clocks are not ours.

  Rule: Nine o'clock is hers, not ours

    Scenario Outline: A birthday in <city>
      Given Ada was born on 14 March 1990 and lives in <city>
      When 14 March 2027 passes everywhere
      Then Ada got 1 birthday message, at 09:00 on 14 March 2027 in <city>

      Examples: From where the day begins to where it ends
        | city       |
        | Kiritimati |
        | Auckland   |
        | Kathmandu  |
        | Jakarta    |
        | Berlin     |
        | New York   |
        | Honolulu   |
        | Pago Pago  |

    Scenario: The same day comes to the east first
      Given Ada was born on 14 March 1990 and lives in Jakarta
      And Grace was born on 14 March 1985 and lives in New York
      And Teuea was born on 14 March 1979 and lives in Kiritimati
      When 14 March 2027 passes everywhere
      Then the messages left in the order Teuea, Ada, Grace

    Scenario: A minute before nine there is nothing yet
      Given Ada was born on 14 March 1990 and lives in Jakarta
      When it becomes 08:59 on 14 March 2027 in Jakarta
      Then Ada got no message

  Rule: Clocks that jump do not change the promise
    The clocks of New York go forward in the night to 14 March 2027; those of Berlin go back in the night to
    31 October 2027. A message is due by the clock on the wall, whatever it did in the night.

    Scenario: On the morning after clocks went forward
      Given Grace was born on 14 March 1985 and lives in New York
      When 14 March 2027 passes everywhere
      Then Grace got 1 birthday message, at 09:00 on 14 March 2027 in New York

    Scenario: On the morning after clocks went back
      Given Greta was born on 31 October 1970 and lives in Berlin
      When 31 October 2027 passes everywhere
      Then Greta got 1 birthday message, at 09:00 on 31 October 2027 in Berlin

    Scenario: A send time that clocks jumped over is made up for at once
      Given messages go out at 02:30
      And Grace was born on 14 March 1985 and lives in New York
      When 14 March 2027 passes everywhere
      Then Grace got 1 birthday message, at 03:00 on 14 March 2027 in New York

    Scenario: A send time that comes twice counts the first time
      Given messages go out at 02:30
      And Greta was born on 31 October 1970 and lives in Berlin
      When 31 October 2027 passes everywhere
      Then Greta got 1 birthday message, the first time it was 02:30 on 31 October 2027 in Berlin

    Scenario: A day that her island left out is kept on the next
      Samoa went from Thursday 29 December 2011 straight to Saturday 31 December.

      Given Sina was born on 30 December 1990 and lives in Apia
      When 30 December 2011 passes everywhere
      Then Sina got 1 birthday message, at 09:00 on 31 December 2011 in Apia

  Rule: A work anniversary is of at least one year

    Scenario: One year after the first day at work
      Given Ada started to work on 14 March 2026 and lives in Jakarta
      When 14 March 2027 passes everywhere
      Then Ada got 1 anniversary message, at 09:00 on 14 March 2027 in Jakarta
      And it says 1 year

    Scenario: The first day at work is not an anniversary
      Given Ada started to work on 14 March 2027 and lives in Jakarta
      When 14 March 2027 passes everywhere
      Then Ada got no message
      And Ada's anniversary message of 14 March 2027 is skipped because it is the day itself
