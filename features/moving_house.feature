Feature: Moving house
  A message arrives at nine in the morning where the person lives, so it follows them when they move.

  Background:
    Given Ada was born on 14 March 1990 and lives in Jakarta

  Rule: A message not yet sent waits for the new morning

    Scenario: Moving west on the evening before
      Given it is 20:00 on 13 March 2027 in Jakarta
      When Ada moves to New York
      Then Ada's birthday message is due at 09:00 on 14 March 2027 in New York
      And Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in New York

    Scenario: Moving west minutes before nine
      Given it is 08:55 on 14 March 2027 in Jakarta
      When Ada moves to Berlin
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Berlin

    Scenario: Moving while the first attempt has failed
      Given nobody can be reached
      And it is 09:01 on 14 March 2027 in Jakarta
      When Ada moves to New York
      And everybody can be reached again
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in New York

    Scenario: Moving on and back again
      Given it is 20:00 on 13 March 2027 in Jakarta
      And Ada has moved to New York
      When Ada moves to Jakarta
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

  Rule: Moving to where nine has passed does not lose the message
    It was owed before she moved, so she gets it late rather than never.

    Scenario: Moving east over nine o'clock
      Given it is 07:30 on 14 March 2027 in Jakarta
      When Ada moves to Auckland
      Then Ada gets 1 birthday message that day, at 07:30 on 14 March 2027 in Jakarta

    Scenario: Moving from the last morning on Earth to the first
      Given Sina was born on 14 March 1990 and lives in Pago Pago
      And it is 08:30 on 14 March 2027 in Pago Pago
      When Sina moves to Kiritimati
      Then Sina gets 1 birthday message that day, at 08:30 on 14 March 2027 in Pago Pago

  Rule: A message that was sent stays sent

    Scenario: Moving west after the greeting brings no second morning
      Given it is 09:30 on 14 March 2027 in Jakarta
      When Ada moves to New York
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta
