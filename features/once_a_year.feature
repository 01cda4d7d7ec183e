Feature: Once a year
  A second greeting is worse than a late one: it shows that nobody is at home. Whatever happens to people,
  plans and machines, a person is greeted once for a birthday.

  Background:
    Given Ada was born on 14 March 1990 and lives in Jakarta

  Rule: Within 300 days nobody is greeted twice
    It must not be possible to have a birthday every week.

    Scenario: A birthday corrected after the greeting
      Given it is 09:30 on 14 March 2027 in Jakarta
      When Ada's birthday is corrected to 15 March 1990
      Then Ada gets 1 birthday message by 17 March 2027, at 09:00 on 14 March 2027 in Jakarta
      And Ada's birthday message of 15 March 2027 is skipped because of a greeting not long ago

    Scenario: A birthday corrected before the greeting
      Given it is 20:00 on 13 March 2027 in Jakarta
      When Ada's birthday is corrected to 15 March 1990
      Then Ada gets 1 birthday message by 17 March 2027, at 09:00 on 15 March 2027 in Jakarta
      And Ada's birthday message of 14 March 2027 is cancelled because the day is another

    Scenario: A birthday corrected by mistake and put right
      Given it is 20:00 on 13 March 2027 in Jakarta
      And Ada's birthday has been corrected to 1 September 1990
      When Ada's birthday is corrected to 14 March 1990
      Then Ada gets 1 birthday message by 17 March 2027, at 09:00 on 14 March 2027 in Jakarta

    Scenario: An operator may send it all the same
      Given it is 09:30 on 14 March 2027 in Jakarta
      And Ada's birthday has been corrected to 15 March 1990
      And it is 10:00 on 15 March 2027 in Jakarta
      When an operator sends the message of 15 March 2027 to Ada after all
      Then Ada has got 2 birthday messages

    Scenario: The year after she is greeted again
      Given it is 09:30 on 14 March 2027 in Jakarta
      When 14 March 2028 passes everywhere
      Then Ada has got 2 birthday messages

    Scenario: A work anniversary on the same day is another matter
      Given Ada also started to work on 14 March 2019
      When 14 March 2027 passes everywhere
      Then Ada got 1 birthday message, at 09:00 on 14 March 2027 in Jakarta
      And Ada got 1 anniversary message, at 09:00 on 14 March 2027 in Jakarta

  Rule: Planning twice is planning once

    Scenario: The plan is made again and again
      Given it is 20:00 on 13 March 2027 in Jakarta
      When the plan is made 3 more times
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

    Scenario: An operator plans the whole month ahead
      Given it is 12:00 on 1 March 2027 in Jakarta
      When an operator plans until 31 March 2027
      And 14 March 2027 passes everywhere
      Then Ada got 1 birthday message, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Planned ahead, corrected by mistake, and put right
      Given it is 12:00 on 1 March 2027 in Jakarta
      And an operator has planned until 31 March 2027
      And Ada's birthday has been corrected to 1 September 1990
      When Ada's birthday is corrected to 14 March 1990
      And 14 March 2027 passes everywhere
      Then Ada got 1 birthday message, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Two services share the work
      Given it is 08:59 on 14 March 2027 in Jakarta
      When it becomes 09:00 on 14 March 2027 in Jakarta, with two services at work
      Then Ada got 1 birthday message, at 09:00 on 14 March 2027 in Jakarta

  Rule: A restart forgets nothing and repeats nothing

    Scenario: Restarted after the greeting
      Given it is 09:30 on 14 March 2027 in Jakarta
      When the service stops
      And the service starts again
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Down at nine, back at three
      Given the service stops at 20:00 on 13 March 2027 in Jakarta
      And it is 15:00 on 14 March 2027 in Jakarta
      When the service starts again
      Then Ada gets 1 birthday message that day, at 15:00 on 14 March 2027 in Jakarta

    Scenario: Down for days
      A greeting that is more than a day late is not sent; it is counted and shown.

      Given the service stops at 20:00 on 13 March 2027 in Jakarta
      And it is 10:00 on 15 March 2027 in Jakarta
      When the service starts again
      Then Ada gets no message that day
      And Ada's birthday message of 14 March 2027 is expired because its time had passed

  Rule: Where nobody can know, nobody guesses

    Scenario: Killed while sending, and the post office recognises a repeat
      Given the service is killed while it sends at 09:00 on 14 March 2027 in Jakarta
      When the service starts again
      Then Ada has got 1 birthday message

    Scenario: Killed while sending, and the post office would deliver it twice
      Given the post office does not recognise a repeat
      And the service is killed while it sends at 09:00 on 14 March 2027 in Jakarta
      When the service starts again
      Then Ada has got 1 birthday message
      And nobody knows whether Ada's birthday message of 14 March 2027 arrived
